"""PyTorch's side of the benchmark: one process that lives as long as the run, and computes only when told to.

One JSON object a line comes in on stdin, one goes out on stdout:

    {"do": "start", "device": "cpu", "threads": 2} -> what this PyTorch is
    {"do": "load", "work": {...}}        -> {}          makes the model, reads weights and batches
    {"do": "check"}                      -> {"values"}  the first units of work, to be compared with Wildmark's
    {"do": "run", "units": 5}            -> {"milliseconds"}  of each unit
    {"do": "free"}                       -> {}

Work and files are described in torch-side.ts. Eager PyTorch, as somebody who knows it well would write it: images are
float tensors before anything is timed, erasing is vectorised, gradients are set to None, nothing waits for `.item()`.
On CUDA all data lies on the card beforehand, and float32 means float32 (TF32 is off), as on Wildmark's side.
"""

import json
import math
import os
import sys
import time

import numpy
import torch
from torch import nn
from torch.nn import functional as F

# Where everything is computed; `start` sets it.
DEVICE = torch.device("cpu")

DTYPES = {"F32": numpy.float32, "I64": numpy.int64, "U8": numpy.uint8}


def read_tensors(path):
    """The tensors of a safetensors file, by name."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = numpy.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(array.copy()).to(DEVICE)
    return tensors


class LeNet5(nn.Module):
    """As src/models/lenet5.ts; answers logits and the input of the last dense layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        features = F.relu(self.fc2(F.relu(self.fc1(x))))
        return self.fc3(features), features


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet18(nn.Module):
    """As src/models/resnet18.ts: torchvision's, with the stem for small images."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        inputs = width
        for stage in range(4):
            outputs = width * 2**stage
            blocks = [BasicBlock(inputs, outputs, 2 if stage else 1), BasicBlock(outputs, outputs, 1)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            inputs = outputs
        self.fc = nn.Linear(inputs, 10)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        features = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
        return self.fc(features), features


def make_model(architecture, weights):
    if architecture == "lenet5":
        model = LeNet5()
    else:
        name, _, width = architecture.partition("-")
        assert name == "resnet18", architecture
        model = ResNet18(int(width or 64))
    missing, unexpected = model.load_state_dict(read_tensors(weights), strict=False)
    unread = [name for name in missing if not name.endswith("num_batches_tracked")]
    assert not unread and not unexpected, (unread, unexpected)
    return model.to(DEVICE)


def cross_entropy(model, images, labels):
    logits, _ = model(images)
    return F.cross_entropy(logits, labels)


def wild(model, images, labels, distance_weight=0.3):
    """WILD with the Jensen-Shannon distance; `images` are the clean ones followed by their erased copies."""
    logits, features = model(images)
    count = len(labels)
    log_p, log_q = F.log_softmax(features, 1).split(count)
    p, q = log_p.exp(), log_q.exp()
    log_m = ((p + q) / 2).log()
    distance = ((p * (log_p - log_m)).sum() + (q * (log_q - log_m)).sum()) / (2 * count)
    return F.cross_entropy(logits[count:], labels) + distance_weight * distance + F.cross_entropy(logits[:count], labels)


OBJECTIVES = {"cross-entropy": cross_entropy, "wild": wild}


class Trainer:
    """Model, objective and SGD; `clip_ratio` bounds each weight's gradient by the weight's own length."""

    def __init__(self, work):
        self.model = make_model(work["architecture"], work["weights"]).train()
        self.objective = OBJECTIVES[work["objective"]]
        sgd = work["sgd"]
        self.clip_ratio = sgd["clipRatio"]
        self.parameters = list(self.model.parameters())
        self.least = torch.tensor([1e-3 * math.sqrt(weight.numel()) for weight in self.parameters], device=DEVICE)
        self.optimizer = torch.optim.SGD(
            self.parameters, sgd["learningRate"], sgd["momentum"], weight_decay=sgd["weightDecay"], foreach=True
        )

    def step(self, images, labels):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.objective(self.model, images, labels)
        loss.backward()
        if self.clip_ratio > 0:
            self.clip()
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def clip(self):
        gradients = [weight.grad for weight in self.parameters]
        lengths = torch.stack(torch._foreach_norm(gradients))
        longest = torch.maximum(torch.stack(torch._foreach_norm(self.parameters)), self.least) * self.clip_ratio
        scales = longest / torch.maximum(lengths, longest)
        # One call with numbers is quickest; on a GPU fetching them would stop everything.
        torch._foreach_mul_(gradients, scales.tolist() if DEVICE.type == "cpu" else list(scales.unbind()))


class Steps:
    """One unit is one step; batches take turns."""

    def __init__(self, work):
        self.trainer = Trainer(work)
        batches = read_tensors(work["batches"])
        self.images = list(batches["images"])
        self.labels = list(batches["labels"])
        self.checked = work["checked"]
        self.done = 0

    def unit(self):
        at = self.done % len(self.images)
        self.done += 1
        return self.trainer.step(self.images[at], self.labels[at])

    def check(self):
        return [self.unit().item() for _ in range(self.checked)]


class Epochs:
    """One unit is one epoch of WILD on shuffled images, each batch with an erased copy, and the accuracy after it."""

    def __init__(self, work):
        self.trainer = Trainer(work)
        self.batch = work["batch"]
        data = read_tensors(work["data"])
        self.images, self.labels = as_floats(data["train_images"]), data["train_labels"]
        self.test_images, self.test_labels = as_floats(data["test_images"]), data["test_labels"]
        torch.manual_seed(work["seed"])

    def unit(self):
        return [self.train(), self.accuracy()]

    check = unit

    def train(self):
        count, (height, width) = len(self.images), self.images.shape[2:]
        steps = -(-count // self.batch)
        order = torch.cat([torch.randperm(count, device=DEVICE), torch.randperm(count, device=DEVICE)])[: steps * self.batch]
        rectangles = draw_rectangles(steps * self.batch, height, width)
        total = torch.zeros((), device=DEVICE)
        self.trainer.model.train()
        for begin in range(0, steps * self.batch, self.batch):
            chosen = order[begin : begin + self.batch]
            images = self.images[chosen]
            erased = erase(images, [part[begin : begin + self.batch] for part in rectangles])
            total += self.trainer.step(torch.cat([images, erased]), self.labels[chosen])
        return (total / steps).item()

    def accuracy(self):
        self.trainer.model.eval()
        return (predict(self.trainer.model, self.test_images) == self.test_labels).float().mean().item()


class Inference:
    """One unit is the answers on all images."""

    def __init__(self, work):
        self.model = make_model(work["architecture"], work["weights"]).eval()
        self.images = as_floats(read_tensors(work["data"])["images"])

    def unit(self):
        return predict(self.model, self.images)

    def check(self):
        return self.unit().tolist()


def as_floats(images):
    return images.to(torch.float32).div_(255)


@torch.inference_mode()
def predict(model, images, batch=250):
    return torch.cat([model(images[at : at + batch])[0].argmax(1) for at in range(0, len(images), batch)])


def draw_rectangles(count, height, width, area=(0.02, 0.4), aspect_min=0.3, attempts=8):
    """Random Erasing's rectangles (Zhong et al., AAAI 2020) for many images: of some draws the first that fits.

    Eight draws leave about one image in a million whole; those get a rectangle of no pixels.
    """
    areas = torch.empty(attempts, count, device=DEVICE).uniform_(*area) * (height * width)
    aspects = torch.empty(attempts, count, device=DEVICE).uniform_(aspect_min, 1 / aspect_min)
    heights = (areas * aspects).sqrt_().round_().clamp_(min=1)
    widths = (areas / aspects).sqrt_().round_().clamp_(min=1)
    fits = (heights < height) & (widths < width)
    first = fits.to(torch.uint8).argmax(0, keepdim=True)
    found = fits.gather(0, first)[0]
    heights, widths = heights.gather(0, first)[0] * found, widths.gather(0, first)[0] * found
    tops = (torch.rand(count, device=DEVICE) * (height - heights + 1)).floor_()
    lefts = (torch.rand(count, device=DEVICE) * (width - widths + 1)).floor_()
    return [part.view(-1, 1, 1, 1) for part in (tops, tops + heights, lefts, lefts + widths)]


def erase(images, rectangles):
    tops, bottoms, lefts, rights = rectangles
    rows = torch.arange(images.shape[2], dtype=torch.float32, device=DEVICE).view(1, 1, -1, 1)
    columns = torch.arange(images.shape[3], dtype=torch.float32, device=DEVICE).view(1, 1, 1, -1)
    inside = ((rows >= tops) & (rows < bottoms)) & ((columns >= lefts) & (columns < rights))
    return torch.where(inside, torch.rand_like(images), images)


KINDS = {"steps": Steps, "epochs": Epochs, "inference": Inference}


def start(device, threads):
    global DEVICE
    DEVICE = torch.device(device)
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    about = [line.strip(" -\t") for line in torch.__config__.show().splitlines()]
    return {
        "version": torch.__version__,
        "python": sys.version.split()[0],
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "about": [line for line in about if line.startswith(("Intel", "OpenMP", "CPU capability"))],
    }


def synchronize():
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def run(work, units):
    milliseconds = []
    for _ in range(units):
        begin = time.perf_counter()
        work.unit()
        synchronize()
        milliseconds.append((time.perf_counter() - begin) * 1000)
    return milliseconds


def main():
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    work = None
    for line in sys.stdin:
        order = json.loads(line)
        do = order["do"]
        if do == "start":
            answer = start(order["device"], order["threads"])
        elif do == "load":
            work = KINDS[order["work"]["kind"]](order["work"])
            answer = {}
        elif do == "check":
            answer = {"values": work.check()}
        elif do == "run":
            answer = {"milliseconds": run(work, order["units"])}
        elif do == "free":
            work = None
            answer = {}
        else:
            raise ValueError(f"unknown order {do}")
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
