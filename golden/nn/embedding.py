"""Embeddings and bags of them: integer inputs, so gradients of the weight alone. Indices repeat."""
from common import *


layer("embedding", {"kind": "embedding", "numEmbeddings": 5, "dim": 3}, nn.Embedding(5, 3), [labels(5, 4, 3)])
layer("embedding of one index each", {"kind": "embedding", "numEmbeddings": 7, "dim": 1}, nn.Embedding(7, 1), [labels(7, 3)])
layer("embedding of one row", {"kind": "embedding", "numEmbeddings": 1, "dim": 2}, nn.Embedding(1, 2), [labels(1, 2, 3)])
layer("embedding of rank 3", {"kind": "embedding", "numEmbeddings": 4, "dim": 2}, nn.Embedding(4, 2), [labels(4, 2, 1, 3)])
# The padding row is not 0 here: what it holds comes out, and only its gradient is 0.
layer("embedding with padding", {"kind": "embedding", "numEmbeddings": 4, "dim": 3, "paddingIndex": 1}, nn.Embedding(4, 3, padding_idx=1), [torch.tensor([[1, 0, 3, 1], [2, 1, 1, 2]])])
layer("embedding with padding from the end", {"kind": "embedding", "numEmbeddings": 4, "dim": 3, "paddingIndex": -1}, nn.Embedding(4, 3, padding_idx=-1), [torch.tensor([[3, 3], [2, 1]])])

bags = torch.tensor([[1, 2, 2, 0], [0, 0, 0, 0], [3, 1, 4, 3]])
for mode in ("mean", "sum", "max"):
    layer(f"embeddingBag, {mode}", {"kind": "embeddingBag", "numEmbeddings": 5, "dim": 3, "mode": mode}, nn.EmbeddingBag(5, 3, mode=mode), [bags])
    layer(f"embeddingBag, {mode}, with padding", {"kind": "embeddingBag", "numEmbeddings": 5, "dim": 3, "mode": mode, "paddingIndex": 0}, nn.EmbeddingBag(5, 3, mode=mode, padding_idx=0), [bags])
layer("embeddingBag of one", {"kind": "embeddingBag", "numEmbeddings": 5, "dim": 2}, nn.EmbeddingBag(5, 2), [labels(5, 3, 1)])

write()
