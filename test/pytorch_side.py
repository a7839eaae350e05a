"""What test/pytorch.slow.ts has PyTorch do: makes and exports a network; loads a state_dict and compares its answers.

    make FOLDER              net.safetensors, and one ONNX file for each way to export
    compare FOLDER TENSORS   loads TENSORS (strict), answers images.safetensors, prints the largest difference
"""

import json
import struct
import sys
import warnings

import numpy
import torch
from torch import nn

TYPES = {"F32": numpy.float32, "I64": numpy.int64}


def save(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        dtype = "F32" if tensor.dtype == torch.float32 else "I64"
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def load(path):
    with open(path, "rb") as file:
        raw = file.read()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(raw[8 + length :][begin:end], TYPES[entry["dtype"]]).copy()
        tensors[name] = torch.from_numpy(values).reshape(entry["shape"])
    return tensors


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=True)
        self.bn2 = nn.BatchNorm2d(outputs, eps=1e-3)
        self.down = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.down(x))


class Net(nn.Module):
    """All that exporters treat in a way of their own: biases before a normalisation, depthwise, dense without bias."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.one = Block(8, 16, 2)
        self.two = Block(16, 16, 2)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False)
        self.last = nn.BatchNorm2d(16)
        self.fc1 = nn.Linear(16, 32)
        self.fc2 = nn.Linear(32, 10, bias=False)

    def forward(self, x):
        x = self.two(self.one(torch.relu(self.bn(self.stem(x)))))
        x = torch.relu(self.last(self.depthwise(x)))
        return self.fc2(torch.relu(self.fc1(x.mean((2, 3)))))


def make(folder):
    torch.manual_seed(0)
    net = Net()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, -1, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.5)
            nn.init.uniform_(module.running_var, 0.3, 2)
    net.bn.weight.data[0] = 0  # a channel that is switched off
    net.eval()
    save(f"{folder}/net.safetensors", net.state_dict())
    image = torch.rand(1, 1, 28, 28)
    names = {"input_names": ["input"], "output_names": ["scores"], "dynamic_axes": {"input": {0: "n"}}}
    whole = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    newer = {"dynamo": False} if int(torch.__version__.split(".")[0]) >= 2 else {}
    for opset in (9, 11, 13, 17):
        torch.onnx.export(net, image, f"{folder}/folded-{opset}.onnx", opset_version=opset, **names, **newer)
        torch.onnx.export(net, image, f"{folder}/whole-{opset}.onnx", opset_version=opset, **names, **whole, **newer)


def compare(folder, tensors):
    net = Net()
    net.load_state_dict(load(tensors), strict=True)
    net.eval()
    asked = load(f"{folder}/images.safetensors")
    with torch.no_grad():
        scores = net(asked["images"])
    print((scores - asked["scores"]).abs().max().item())


warnings.filterwarnings("ignore")
{"make": make, "compare": compare}[sys.argv[1]](*sys.argv[2:])
