"""A V-JEPA pretraining step or encoder forward pass in PyTorch, written for comparison with bench_step: plain torch.nn
modules, scaled dot-product attention, fused AdamW, foreach EMA. The batch, the models and the number of tokens each
mask keeps are arguments, so that both programs do the same work.

  python pretrain_step.py --model vit_tiny --batch 1 --kept 544,112 --hidden 880,1328 [--dtype bfloat16] [--compile]

Prints one line of JSON: the seconds of each repetition, the peak memory while they ran in bytes, versions.
"""

import argparse
import json
import math
import re
import time

import torch
import torch.nn.functional as F
from torch import nn

SIZES = {"vit_tiny": (192, 12, 3), "vit_small": (384, 12, 6), "vit_base": (768, 12, 12), "vit_large": (1024, 24, 16),
         "vit_huge": (1280, 32, 16)}


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def gather(x, idx):
    return torch.gather(x, 1, idx.unsqueeze(-1).expand(-1, -1, x.size(-1)))


class Encoder(nn.Module):
    def __init__(self, dim, depth, heads, tokens):
        super().__init__()
        self.patch_embed = nn.Conv3d(3, dim, kernel_size=(2, 16, 16), stride=(2, 16, 16))
        self.register_buffer("positions", torch.randn(1, tokens, dim))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, clips, idx=None):
        x = self.patch_embed(clips).flatten(2).transpose(1, 2) + self.positions
        if idx is not None:
            x = gather(x, idx)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Predictor(nn.Module):
    def __init__(self, encoder_dim, dim, depth, heads, tokens, groups):
        super().__init__()
        self.embed = nn.Linear(encoder_dim, dim)
        self.mask_tokens = nn.ParameterList(nn.Parameter(torch.zeros(1, 1, dim)) for _ in range(groups))
        self.register_buffer("positions", torch.randn(1, tokens, dim))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.proj = nn.Linear(dim, encoder_dim)

    def forward(self, context, context_idx, target_idx, group):
        b = context.size(0)
        positions = self.positions.expand(b, -1, -1)
        x = self.embed(context) + gather(positions, context_idx)
        targets = self.mask_tokens[group] + gather(positions, target_idx)
        x = torch.cat([x, targets.to(x.dtype)], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.proj(self.norm(x[:, context_idx.size(1):]))


def reset_peak_memory(device):
    """Forgets the peak so far (on Linux: proc(5), clear_refs)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def peak_memory(device):
    """The most bytes since the last reset: allocated on the GPU, or resident in this process; 0 where nobody tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    try:
        with open("/proc/self/status") as file:
            return 1024 * int(re.search(r"VmHWM:\s*(\d+)", file.read())[1])
    except OSError:
        return 0


def training_step(args, tokens, device):
    """A function that does one step."""
    dim, depth, heads = SIZES[args.model]
    kept = [int(k) for k in args.kept.split(",")]
    hidden = [int(k) for k in args.hidden.split(",")]
    encoder = Encoder(dim, depth, heads, tokens).to(device)
    target = Encoder(dim, depth, heads, tokens).to(device).requires_grad_(False)
    target.load_state_dict(encoder.state_dict())
    predictor = Predictor(dim, 384, 12, heads, tokens, len(kept)).to(device)
    clips = torch.randn(args.batch, 3, args.frames, args.crop, args.crop, device=device)
    order = [torch.stack([torch.randperm(tokens) for _ in range(args.batch)]).to(device) for _ in kept]
    contexts = [o[:, :k].sort(dim=1).values for o, k in zip(order, kept)]
    targets = [o[:, k:k + h].sort(dim=1).values for o, k, h in zip(order, kept, hidden)]
    parameters = list(encoder.parameters()) + list(predictor.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.04, fused=True)

    def loss_of():
        with torch.no_grad():
            h = target(clips)
            h = F.layer_norm(h, (h.size(-1),))
        loss = 0.0
        for i, (context, hide) in enumerate(zip(contexts, targets)):
            z = predictor(encoder(clips, context), context, hide, i)
            loss = loss + (z - gather(h, hide)).abs().mean() / len(contexts)
        return loss

    loss_fn = torch.compile(loss_of) if args.compile else loss_of

    def step():
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=args.dtype == "bfloat16"):
            loss = loss_fn()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 10.0)
        torch.nn.utils.clip_grad_norm_(predictor.parameters(), 10.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(list(target.parameters()), list(encoder.parameters()), 0.002)
        assert math.isfinite(float(loss.detach()))

    return step


def forward_pass(args, tokens, device):
    """A function that runs the encoder on all tokens. Nothing is trained, so that weights are in bfloat16 where that is
    asked for, as those of bench_step are: faster than to convert them in every pass."""
    dtype = getattr(torch, args.dtype)
    encoder = Encoder(*SIZES[args.model], tokens).to(device, dtype).requires_grad_(False).eval()
    clips = torch.randn(args.batch, 3, args.frames, args.crop, args.crop, device=device)
    forward = torch.compile(encoder) if args.compile else encoder

    def infer():
        with torch.inference_mode():
            return forward(clips.to(dtype))

    assert bool(torch.isfinite(infer()).all())
    return infer


def timed(work, device):
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def libraries():
    """The libraries that multiply matrices on the CPU, as this PyTorch names them."""
    said = re.findall(r"(oneAPI Math Kernel Library Version [\d.]+|Intel\(R\) MKL-DNN v[\d.]+|OpenBLAS [\d.]+)",
                      torch.__config__.show())
    return ", ".join(said) or "unknown libraries"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", default="step", choices=["step", "forward"],
                        help="a whole training step, or the encoder's forward pass")
    parser.add_argument("--model", default="vit_tiny", choices=SIZES)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--kept", default="544,112", help="tokens of context, one number a mask group")
    parser.add_argument("--hidden", default="880,1328", help="tokens to predict, one number a mask group")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int, default=5, help="repetitions, after two that are not counted")
    args = parser.parse_args()
    torch.manual_seed(0)
    device = torch.device(args.device)
    tokens = args.frames // 2 * (args.crop // 16) ** 2
    work = (training_step if args.what == "step" else forward_pass)(args, tokens, device)
    for _ in range(2):
        timed(work, device)
    reset_peak_memory(device)
    seconds = [timed(work, device) for _ in range(args.steps)]
    print(json.dumps({
        "program": "PyTorch " + torch.__version__, "what": args.what, "model": args.model, "dtype": args.dtype,
        "batch": args.batch, "compile": args.compile, "threads": torch.get_num_threads(), "products": libraries(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "peak_bytes": peak_memory(device), "seconds": seconds}))


if __name__ == "__main__":
    main()
