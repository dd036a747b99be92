"""BPE by Hugging Face's tokenizers: what it learns from small texts and how it encodes. Writes bpe.json beside it."""
import json
from pathlib import Path
import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXTS = {
    "ties": "ab cd ab cd ef gh ef gh",
    "runs": "aaaa aaa aa aaaaa    \n\n\t x  aaaaaaa aaaabaaab",
    "words": (
        "The quick brown fox doesn't jump; the lazy dog does. They're 12 foxes, I'm told, and we'll see 345 dogs!\n"
        "  She sells sea shells by the sea shore, the shells she sells are sea shells I'm sure.\r\n"
        "Größe, naïve café — 日本語のテキスト、日本の本。 🙂🙂 e\u0301 ½ Ⅷ ٣٤ \u00a0\u2003 x_y __init__ ...!!"
    ),
}
ENCODED = [
    "the shells of the sea",
    "aaaaaaaaa aaab",
    "  Größe of 日本 🙂 it's we've\n\n\n end  ",
    "X\u00a0Y\u2003Z\u0085W\ufeffV",
    "a" * 100 + "b" * 60 + " " * 70 + "x",
]

cases = []
for name, text in TEXTS.items():
    for size in (262, 300):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        tokenizer.train_from_iterator([text], trainer)
        model = json.loads(tokenizer.to_str())["model"]
        merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
        encoded = [{"text": t, "ids": tokenizer.encode(t).ids} for t in [text, *ENCODED]]
        cases.append({"name": f"{name}-{size}", "text": text, "vocabSize": size, "merges": merges, "encoded": encoded})

out = Path(__file__).with_name("bpe.json")
out.write_text(json.dumps({"source": f"tokenizers {tokenizers.__version__}", "cases": cases}, indent=1) + "\n")
print(out, out.stat().st_size)
