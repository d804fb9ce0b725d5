#!/usr/bin/env python3
"""Our files against PyTorch, NumPy and safetensors themselves: checkpoints go through vjepa-convert and back and a training
step after it is the same to the bit, a run of vjepa-pretrain goes on in PyTorch, every type and layout of tensor is read.

Needs a Python that has torch: the one that runs this, VJEPA_PYTHON, or build/pytorch (tests/install_pytorch.sh)."""

import collections
import copy
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

try:
    import numpy
    import torch
    from torch import nn
except ImportError as missing:
    candidates = [os.environ.get("VJEPA_PYTHON"), pathlib.Path(__file__).parents[2] / "build/pytorch/bin/python"]
    found = next((str(c) for c in candidates if c and os.access(c, os.X_OK)), None)
    if found is None or os.environ.get("VJEPA_PYTHON_TRIED"):
        print(f"SKIPPED: {missing}; run tests/install_pytorch.sh, or set VJEPA_PYTHON to a Python that has torch and numpy")
        sys.exit(0)
    os.environ["VJEPA_PYTHON_TRIED"] = "1"
    os.execv(found, [found, *sys.argv])

CONFIG = """
app: vjepa
data: {datasets: [LIST], batch_size: 2, num_frames: 4, tubelet_size: 2, sampling_rate: 2, crop_size: 32,
       patch_size: 8, num_workers: 1}
logging: {folder: unset}
mask:
  - {num_blocks: 2, spatial_scale: [0.3, 0.3]}
meta: {seed: 7}
model: {model_name: vit_tiny, pred_depth: 1, pred_embed_dim: 96}
optimization: {ipe: 2, epochs: 2, warmup: 1, start_lr: 0.0002, lr: 0.001, final_lr: 1.0e-6, weight_decay: 0.04,
               final_weight_decay: 0.4, ema: [0.99, 1.0]}
"""


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        x = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, dim))


class Mlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.fc2(nn.functional.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, dim, patch):
        super().__init__()
        self.proj = nn.Conv3d(3, dim, patch, patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Encoder(nn.Module):
    def __init__(self, dim, depth, heads, patch, tokens):
        super().__init__()
        self.patch_embed = PatchEmbed(dim, patch)
        self.pos_embed = nn.Parameter(torch.randn(1, tokens, dim), requires_grad=False)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x):
        x = self.patch_embed(x) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Predictor(nn.Module):
    def __init__(self, dim, width, depth, heads, tokens, masks):
        super().__init__()
        self.predictor_embed = nn.Linear(dim, width)
        self.mask_tokens = nn.ParameterList(nn.Parameter(torch.randn(1, 1, width)) for _ in range(masks))
        self.predictor_pos_embed = nn.Parameter(torch.randn(1, tokens, width), requires_grad=False)
        self.predictor_blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.predictor_norm = nn.LayerNorm(width, eps=1e-6)
        self.predictor_proj = nn.Linear(width, dim)

    def forward(self, context):
        x = self.predictor_embed(context)
        hidden = sum(self.mask_tokens).expand_as(x)
        x = torch.cat([x, hidden + self.predictor_pos_embed], 1)
        for block in self.predictor_blocks:
            x = block(x)
        return self.predictor_proj(self.predictor_norm(x))[:, context.shape[1]:]


class Under(nn.Module):
    """A module under one name more, as wrappers put it."""

    def __init__(self, name, module):
        super().__init__()
        self.name = name
        self.add_module(name, module)

    def forward(self, x):
        return getattr(self, self.name)(x)


class Trainer:
    """Plain PyTorch with the names and the parameter groups of the official trainer."""

    def __init__(self, seed, dim, depth, heads, patch, grid, width, pred_depth, pred_heads, masks):
        torch.manual_seed(seed)
        tokens = grid[0] * grid[1] * grid[2]
        self.clip = (2, 3, *(n * p for n, p in zip(grid, patch)))
        wrapped = lambda module: Under("module", Under("backbone", module))
        self.encoder = wrapped(Encoder(dim, depth, heads, patch, tokens))
        self.predictor = wrapped(Predictor(dim, width, pred_depth, pred_heads, tokens, masks))
        self.target_encoder = copy.deepcopy(self.encoder)
        networks = (self.encoder, self.predictor)
        spared = lambda name, p: "bias" in name or p.dim() == 1
        self.optimizer = torch.optim.AdamW(
            [{"params": [p for n, p in net.named_parameters() if not spared(n, p)]} for net in networks] +
            [{"params": [p for n, p in net.named_parameters() if spared(n, p)], "WD_exclude": True, "weight_decay": 0}
             for net in networks], lr=1e-3, weight_decay=0.04)

    def step(self, number):
        clip = torch.randn(self.clip, generator=torch.Generator().manual_seed(number))
        with torch.no_grad():
            target = self.target_encoder(clip)
        loss = (self.predictor(self.encoder(clip)) - target).abs().mean()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        with torch.no_grad():
            for p, average in zip(self.encoder.parameters(), self.target_encoder.parameters()):
                average.mul_(0.99).add_(p, alpha=0.01)
        return loss.item()

    def saved(self):
        return {"encoder": self.encoder.state_dict(), "predictor": self.predictor.state_dict(),
                "opt": self.optimizer.state_dict(), "scaler": None, "target_encoder": self.target_encoder.state_dict(),
                "epoch": 2, "loss": 0.5, "batch_size": 2, "world_size": 1, "lr": 0.001}

    def load(self, path):
        saved = torch.load(path, map_location="cpu", weights_only=True)
        for name in ("encoder", "predictor", "target_encoder"):
            getattr(self, name).load_state_dict(saved[name], strict=True)
        self.optimizer.load_state_dict(saved["opt"])
        return saved

    def trained(self):
        """Each trained parameter by the name it has in our files."""
        for network in ("encoder", "predictor"):
            for name, p in getattr(self, network).named_parameters():
                if p.requires_grad:
                    yield f"{network}.{name.removeprefix('module.backbone.')}", p


MICRO = {"dim": 24, "depth": 2, "heads": 2, "patch": (2, 4, 4), "grid": (2, 3, 3), "width": 12, "pred_depth": 11,
         "pred_heads": 2, "masks": 2}


class Suite:
    def __init__(self, root, convert, pretrain, synth, npy_copy):
        self.root, self.convert_program, self.pretrain = root, convert, pretrain
        self.synth, self.npy_copy = synth, npy_copy

    def convert(self, source, target, *options):
        subprocess.run([self.convert_program, str(source), str(self.root / target), *options], check=True,
                       stdout=subprocess.DEVNULL)
        return self.root / target

    def refused(self, source, message):
        result = subprocess.run([self.convert_program, str(source), str(self.root / "refused.safetensors")],
                                capture_output=True, text=True)
        assert result.returncode == 1 and message in result.stderr, (message, result)

    def save(self, what, name, **options):
        torch.save(what, self.root / name, **options)
        return self.root / name

    def official_round_trip(self):
        trainer = Trainer(1, **MICRO)
        for number in range(3):
            trainer.step(number)
        official = self.save(trainer.saved(), "official.pth.tar")
        ours = self.convert(official, "ours.safetensors")
        tensors, metadata = read_safetensors(ours)

        expected = {}
        for network in ("encoder", "predictor", "target_encoder"):
            for name, tensor in getattr(trainer, network).state_dict().items():
                expected[f"{network}.{name.removeprefix('module.backbone.')}"] = tensor
        for name, p in trainer.trained():
            for moment in ("exp_avg", "exp_avg_sq"):
                expected[f"opt.{moment}.{name}"] = trainer.optimizer.state[p][moment]
        expected = {name: tensor.clone() for name, tensor in expected.items()}  # the trainer goes on
        same_tensors(tensors, expected)
        assert metadata["epoch"] == "2" and metadata["opt.step"] == "3", metadata

        back = self.convert(ours, "back.pth.tar")
        other = Trainer(2, **MICRO)
        saved = other.load(back)
        want = trainer.saved()
        for key in ("scaler", "epoch", "loss", "batch_size", "world_size", "lr"):
            assert saved[key] == want[key], (key, saved[key])
        for network in ("encoder", "predictor", "target_encoder"):
            assert list(saved[network]) == list(want[network]), network
        for got, group in zip(saved["opt"]["param_groups"], want["opt"]["param_groups"], strict=True):
            for key in ("params", "lr", "betas", "eps", "weight_decay"):
                assert got[key] == group[key], (key, got[key], group[key])
            assert got.get("WD_exclude") == group.get("WD_exclude")
        for number in range(3, 6):
            assert other.step(number) == trainer.step(number), "a step after the round trip has another loss"
        for network in ("encoder", "predictor", "target_encoder"):
            same_tensors(getattr(other, network).state_dict(), getattr(trainer, network).state_dict())

        # A second time through changes nothing.
        again, _ = read_safetensors(self.convert(back, "again.safetensors"))
        same_tensors(again, expected)

        repacked = self.root / "repacked.pth.tar"
        with zipfile.ZipFile(official) as old, zipfile.ZipFile(repacked, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
        same_tensors(read_safetensors(self.convert(repacked, "repacked.safetensors"))[0], expected)

    def our_run_in_pytorch(self):
        subprocess.run([self.synth, "--out", str(self.root / "videos"), "--clips", "4", "--size", "64", "--validation", "0"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        config = self.root / "run.yaml"
        config.write_text(CONFIG.replace("LIST", str(self.root / "videos/train.csv")))
        subprocess.run([self.pretrain, "--config", str(config), "--set", f"logging.folder={self.root / 'run'}"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ours = self.root / "run/jepa-latest.safetensors"
        tensors, metadata = read_safetensors(ours)

        trainer = Trainer(3, dim=192, depth=12, heads=3, patch=(2, 8, 8), grid=(2, 4, 4), width=96, pred_depth=1,
                          pred_heads=3, masks=1)
        saved = trainer.load(self.convert(ours, "run.pth.tar"))
        assert (saved["epoch"], saved["batch_size"]) == (2, 2), saved["epoch"]
        assert torch.equal(trainer.encoder.state_dict()["module.backbone.pos_embed"], tensors["encoder.pos_embed"])
        names = dict(trainer.trained())
        assert len(names) == sum(name.startswith("opt.exp_avg.") for name in tensors)
        for name, p in names.items():
            state = trainer.optimizer.state[p]
            assert state["step"].item() == 4, (name, state["step"])
            for moment in ("exp_avg", "exp_avg_sq"):
                assert torch.equal(state[moment], tensors[f"opt.{moment}.{name}"]), (moment, name)
        for group in trainer.optimizer.param_groups:
            group["lr"] = 1e-4  # as the official trainer's schedule sets it before each step
        losses = [trainer.step(0) for _ in range(4)]
        assert losses[-1] < losses[0], losses

        # What PyTorch saves of it comes home.
        home, _ = read_safetensors(self.convert(self.save(trainer.saved(), "onward.pth.tar"), "onward.safetensors"))
        assert set(home) == set(tensors)
        # And the way there and back alone changes nothing.
        there, described = read_safetensors(self.convert(self.root / "run.pth.tar", "there.safetensors"))
        same_tensors(there, tensors)
        assert metadata.items() <= described.items(), set(metadata.items()) - set(described.items())

    def types_and_layouts(self):
        generator = torch.Generator().manual_seed(4)
        base = torch.randn(6, 8, generator=generator)
        tensors = {str(dtype).removeprefix("torch."): (base * 50).to(dtype) for dtype in (
            torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8)}
        tensors |= {
            "uint8": torch.arange(256, dtype=torch.uint8), "bool": base > 0,
            "transposed": base.t(), "permuted": torch.randn(2, 3, 4, generator=generator).permute(2, 0, 1),
            "sliced": base[2:5, 1:7:2], "column": base[:, 3], "row": base[4], "strided.from.offset": base.flatten()[5::7],
            "expanded_within": base[:1].expand(6, 8), "same": base, "scalar": torch.tensor(1.5),
            "integer_scalar": torch.tensor(-3), "empty": torch.empty(0, 4), "no_columns": torch.empty(3, 0),
            "ones": torch.ones(1, 1, 1, 1), "nan": torch.tensor([float("nan"), float("inf"), -0.0]),
            "parameter": nn.Parameter(torch.ones(2, 2))}
        numbers = {"an": {"int": 2**40, "negative": -1, "real": 0.1, "yes": True, "none": None, "text": "\u00fc"}}
        what = collections.OrderedDict(tensors)
        what["deep"] = {"list": [torch.ones(2), {"x": torch.zeros(1)}], "tuple": (torch.ones(1), 7)}
        what |= numbers
        path = self.save(what, "types.pt")
        got, metadata = read_safetensors(self.convert(path, "types.safetensors"))
        same_tensors(got, tensors | {"deep.list.0": torch.ones(2), "deep.list.1.x": torch.zeros(1),
                                     "deep.tuple.0": torch.ones(1)})
        assert metadata == {"an.int": str(2**40), "an.negative": "-1", "an.real": "0.1", "an.yes": "true", "an.none": "none",
                            "an.text": "\u00fc", "deep.tuple.1": "7"}, metadata
        back = torch.load(self.convert(self.root / "types.safetensors", "types.pth"), weights_only=True)
        back.pop("vjepa")
        same_tensors(back, got)

        self.refused(self.save({"w": torch.ones(1).expand(1000)}, "expanded.pt"), "save a contiguous copy")
        self.refused(self.save({"w": torch.ones(3)}, "old.pt", _use_new_zipfile_serialization=False), "torch.save(torch.load(")
        self.refused(self.save({"w": torch.ones(3, dtype=torch.complex64)}, "complex.pt"), "ComplexFloatStorage")
        self.refused(self.save(Attention(4, 2), "module.pt"), "save the module's state_dict()")

    def npy(self):
        generator = numpy.random.default_rng(5)
        source, whole, rows = (self.root / name for name in ("in.npy", "whole.npy", "rows.npy"))
        for dtype in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?"):
            for shape in ((), (0, 3), (5,), (4, 1), (3, 4, 5), (2, 3, 4, 5)):
                array = (generator.standard_normal(shape) * 50).astype(dtype)
                numpy.save(source, array)
                subprocess.run([self.npy_copy, source, whole, rows], check=True)
                for path in (whole, rows) if array.ndim > 0 and array.size > 0 else (whole,):
                    read = numpy.load(path, allow_pickle=False)
                    assert read.dtype == array.dtype and read.shape == array.shape, (path, dtype, shape)
                    assert read.tobytes() == array.tobytes(), (path, dtype, shape)
        for version in ((1, 0), (2, 0), (3, 0)):
            with source.open("wb") as file:
                numpy.lib.format.write_array(file, numpy.arange(4), version=version)
            subprocess.run([self.npy_copy, source, whole, rows], check=True)
            assert (numpy.load(whole) == numpy.arange(4)).all()
        for array, message in ((numpy.ones((2, 3)).T, "Fortran"), (numpy.ones(2, ">f4"), "big-endian"),
                               (numpy.array([None]), "Python objects"), (numpy.ones(2, "c8"), "of the type '<c8'"),
                               (numpy.ones(2, [("a", "f4")]), "records")):
            numpy.save(source, array)
            result = subprocess.run([self.npy_copy, source, whole, rows], capture_output=True, text=True)
            assert result.returncode == 1 and message in result.stderr, (message, result)


def read_safetensors(path):
    """Tensors and metadata, read by the safetensors package."""
    from safetensors import safe_open
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}


def same_tensors(got, want):
    assert set(got) == set(want), set(got) ^ set(want)
    for name, tensor in want.items():
        other = got[name]
        assert other.dtype == tensor.dtype and other.shape == tensor.shape, name
        raw = [t.detach().contiguous().reshape(-1).view(torch.uint8) for t in (other, tensor)]
        assert torch.equal(*raw), f"{name} differs"


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    with tempfile.TemporaryDirectory() as name:
        suite = Suite(pathlib.Path(name), *sys.argv[1:])
        for test in (suite.official_round_trip, suite.our_run_in_pytorch, suite.types_and_layouts, suite.npy):
            test()
            print(f"passed: {test.__name__} (PyTorch {torch.__version__})", flush=True)


if __name__ == "__main__":
    main()
