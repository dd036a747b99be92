"""Event files of TensorBoard's own messages and PyTorch's SummaryWriter, with what they say; histograms in TensorFlow's buckets."""
import base64
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2, types_pb2
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.histogram import summary_v2 as histograms
from tensorboard.plugins.scalar import metadata as scalars
from tensorboard.plugins.image import metadata as images
from tensorboard.plugins.text import metadata as texts
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import make_histogram

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNo+A8AAYUBgZBWSo0AAAAASUVORK5CYII="
)


def event(step, *values):
    return event_pb2.Event(wall_time=1700000000.25, step=step, summary=summary_pb2.Summary(value=values))


def value(**fields):
    return summary_pb2.Summary.Value(**fields)


def hparams(content, tag):
    plugin = summary_pb2.SummaryMetadata.PluginData(plugin_name="hparams", content=content.SerializeToString())
    tensor = tensor_util.make_tensor_proto([], dtype=types_pb2.DT_FLOAT, shape=(0,))
    return value(tag=tag, metadata=summary_pb2.SummaryMetadata(plugin_data=plugin), tensor=tensor)


start = plugin_data_pb2.HParamsPluginData()
start.session_start_info.hparams["rate"].number_value = 0.05
start.session_start_info.group_name = "mnist-cnn"
start.session_start_info.start_time_secs = 1700000000.25
end = plugin_data_pb2.HParamsPluginData()
end.session_end_info.status = 1
end.session_end_info.end_time_secs = 1700000001.5
histogram = summary_pb2.HistogramProto(
    min=-1.5, max=2, num=3, sum=0.75, sum_squares=6.3125, bucket_limit=[-1, 0, 0.5, 2.5], bucket=[1, 0, 1, 1]
)
text = texts.create_summary_metadata(display_name=None, description=None)
text.data_class = 2

# What the writer here makes, by TensorBoard's messages and framing.
written = [
    event_pb2.Event(wall_time=1700000000.25, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=1700000000.25, step=300, session_log=event_pb2.SessionLog(status=1)),
    event(1, value(tag="train/loss", simple_value=0.1), value(tag="rate", simple_value=0.0)),
    event(-7, value(tag="größe", simple_value=float("-inf"))),
    event(2**40, value(tag="weights/0.weight", histo=histogram)),
    event(
        128,
        value(
            tag="inputs",
            image=summary_pb2.Summary.Image(height=1, width=2, colorspace=1, encoded_image_string=PNG),
        ),
    ),
    event(0, value(tag="config", metadata=text, tensor=tensor_util.make_tensor_proto("**mnist**"))),
    event(0, hparams(start, "_hparams_/session_start_info"), hparams(end, "_hparams_/session_end_info")),
]


def records(events):
    out = io.BytesIO()
    writer = RecordWriter(out)
    for each in events:
        writer.write(each.SerializeToString())
    return base64.b64encode(out.getvalue()).decode()


def tensor_value(tag, metadata, tensor):
    return value(tag=tag, metadata=metadata, tensor=tensor)


# The newer forms, which are read too.
buckets = histograms.histogram_pb("h", np.array([0, 1, 1, 4.0]), buckets=4).value[0]
newer = [
    event(
        3,
        tensor_value("loss", scalars.create_summary_metadata("", ""), tensor_util.make_tensor_proto(0.5, dtype=np.float32)),
        tensor_value("exact", scalars.create_summary_metadata("", ""), tensor_util.make_tensor_proto(0.1, dtype=np.float64)),
        buckets,
        tensor_value("i", images.create_summary_metadata("", ""), tensor_util.make_tensor_proto([b"2", b"1", PNG, PNG])),
    )
]

# PyTorch's.
with tempfile.TemporaryDirectory() as folder:
    with SummaryWriter(folder) as writer:
        writer.add_scalar("loss", 0.25, 5, walltime=1700000000.5)
        writer.add_scalar("newer", 0.75, 6, walltime=1700000000.5, new_style=True)
        writer.add_histogram("w", np.array([-1.0, 0.5, 0.5, 2.0]), 7, walltime=1700000000.5)
        writer.add_text("note", "two words", 8, walltime=1700000000.5)
    [file] = Path(folder).iterdir()
    torch_file = base64.b64encode(file.read_bytes()).decode()

# TensorFlow's default limits, as PyTorch writes them down again.
with tempfile.TemporaryDirectory() as folder:
    bins = SummaryWriter(folder).default_bins
draw = np.random.default_rng(1)
samples = {
    "normal": draw.normal(0, 0.1, 200),
    "one value": np.full(5, 0.25),
    "zeros": np.zeros(3),
    "far apart": np.array([-1e19, -3e-13, 0, 3e-13, 5e-7, 1e19]),
    "negative": -draw.random(20) - 1,
}


def described(values):
    values = values.astype(np.float32)
    made = make_histogram(values.astype(float), np.array(bins))
    full = np.histogram(values.astype(float), bins=np.array(bins))[0]
    found = np.flatnonzero(full)
    return {
        "values": values.tolist(),
        "min": made.min,
        "max": made.max,
        "count": made.num,
        "sum": made.sum,
        "sumOfSquares": made.sum_squares,
        # Of the buckets that hold something: both limits and the count.
        "buckets": [[bins[i], bins[i + 1], int(full[i])] for i in found],
    }


out = Path(__file__).with_suffix(".json")
out.write_text(
    json.dumps(
        {
            "png": base64.b64encode(PNG).decode(),
            "written": records(written),
            "newer": records(newer),
            "torch": torch_file,
            "histograms": {name: described(values) for name, values in samples.items()},
        },
        indent=1,
    )
    + "\n"
)
