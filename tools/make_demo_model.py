#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes models/glint-demo.gguf, the model inside the binary: GLM-4.7-Flash's architecture in small (MLA, sigmoid-gated
mixture of experts with a correction bias for choosing, one shared expert), trained from text that tools/demo_data
generates. Every step is seeded.

  words  WORDNET_FOLDER WORDS                     word lists from Princeton WordNet 3.0 (Debian: wordnet-base)
  train  OUT_FOLDER --words WORDS [--minutes 7]   on a machine with a GPU, PyTorch and `tokenizers`: text, vocabulary,
                                                  training, samples; writes weights in bf16, tokenizer.json, log.json
  export OUT_FOLDER CHAT_TEMPLATE GGUF              anywhere with `gguf`, `libgguf` and numpy: quantises and writes the GGUF
"""
import argparse
import json
import math
import multiprocessing
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

D_MODEL, N_LAYERS, N_HEADS, Q_RANK, KV_RANK, D_NOPE, D_ROPE, D_V = 256, 7, 8, 256, 256, 32, 32, 64
D_FF_DENSE, D_FF, N_EXPERTS, TOP_K, ROUTE_SCALE = 768, 256, 8, 2, 1.8
EPS, ROPE_BASE, N_CTX = 1e-5, 10000.0, 1024
N_BASE = 8192 - 36
SPECIAL = """<|endoftext|> [MASK] [gMASK] [sMASK] <sop> <eop> <|system|> <|user|> <|assistant|> <|observation|>
<|begin_of_image|> <|end_of_image|> <|begin_of_video|> <|end_of_video|> <|begin_of_audio|> <|end_of_audio|>
<|begin_of_transcription|> <|end_of_transcription|> <|code_prefix|> <|code_middle|> <|code_suffix|> <think> </think>
<tool_call> </tool_call> <tool_response> </tool_response> <arg_key> </arg_key> <arg_value> </arg_value> /nothink
<|begin_of_box|> <|end_of_box|> <|image|> <|video|>""".split()
USER_DEFINED = set(SPECIAL[21:32])
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
           r"\s+(?!\S)|\s+")


def documents(job):
    from demo_data.chats import document
    first, last, words = job
    return [document(random.Random(seed), words) for seed in range(first, last)]


def make_tokenizer(texts):
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=N_BASE, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), min_frequency=2)

    def without_special(lines):
        for line in lines:
            for name in SPECIAL:
                line = line.replace(name, "\n")
            yield line

    tokenizer.train_from_iterator(without_special(texts), trainer)
    missing = N_BASE - tokenizer.get_vocab_size()
    # Simple text may give fewer merges than asked for; ids between are padding that no text can reach.
    if missing > 0:
        tokenizer.add_tokens([AddedToken(f"[PAD{i}]", special=False) for i in range(missing)])
    tokenizer.add_tokens([AddedToken(name, special=name not in USER_DEFINED, normalized=False) for name in SPECIAL])
    return tokenizer


def build_model():
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    def norm(x, w):
        return F.rms_norm(x.float(), (x.shape[-1],), w, EPS)

    class Layer(nn.Module):
        def __init__(self, dense):
            super().__init__()
            p = lambda *shape: nn.Parameter(torch.randn(*shape) * 0.8 / math.sqrt(shape[-1]))
            one = lambda n: nn.Parameter(torch.ones(n))
            self.attn_norm, self.ffn_norm, self.q_a_norm, self.kv_a_norm = one(D_MODEL), one(D_MODEL), one(Q_RANK), one(KV_RANK)
            self.q_a, self.q_b = p(Q_RANK, D_MODEL), p(N_HEADS * (D_NOPE + D_ROPE), Q_RANK)
            self.kv_a = p(KV_RANK + D_ROPE, D_MODEL)
            self.kv_b = p(N_HEADS * (D_NOPE + D_V), KV_RANK)
            self.output = nn.Parameter(torch.randn(D_MODEL, N_HEADS * D_V) * 0.8 / math.sqrt(N_HEADS * D_V * 2 * N_LAYERS))
            self.dense = dense
            d_ff = D_FF_DENSE if dense else D_FF
            self.gate, self.up = p(d_ff, D_MODEL), p(d_ff, D_MODEL)
            self.down = nn.Parameter(torch.randn(D_MODEL, d_ff) * 0.8 / math.sqrt(d_ff * 2 * N_LAYERS))
            if not dense:
                self.router = p(N_EXPERTS, D_MODEL)
                self.gates, self.ups = p(N_EXPERTS, D_FF, D_MODEL), p(N_EXPERTS, D_FF, D_MODEL)
                self.downs = nn.Parameter(torch.randn(N_EXPERTS, D_MODEL, D_FF) * 0.8 / math.sqrt(D_FF * 2 * N_LAYERS))
                self.register_buffer("bias", torch.zeros(N_EXPERTS))

        def attention(self, x, cos, sin):
            b, t, _ = x.shape
            q = F.linear(norm(F.linear(x, self.q_a), self.q_a_norm), self.q_b).view(b, t, N_HEADS, D_NOPE + D_ROPE)
            c, k_rope = F.linear(x, self.kv_a).split([KV_RANK, D_ROPE], -1)
            kv = F.linear(norm(c, self.kv_a_norm), self.kv_b).view(b, t, N_HEADS, D_NOPE + D_V)
            def rotate(z):  # adjacent pairs
                a, e = z[..., 0::2], z[..., 1::2]
                return torch.stack([a * cos - e * sin, a * sin + e * cos], -1).flatten(-2).to(z.dtype)
            q = torch.cat([q[..., :D_NOPE], rotate(q[..., D_NOPE:])], -1).transpose(1, 2)
            k = torch.cat([kv[..., :D_NOPE], rotate(k_rope[:, :, None]).expand(b, t, N_HEADS, D_ROPE)], -1).transpose(1, 2)
            v = kv[..., D_NOPE:].transpose(1, 2)
            o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return F.linear(o.transpose(1, 2).reshape(b, t, -1), self.output)

        def ffn(self, x):
            out = F.linear(F.silu(F.linear(x, self.gate)) * F.linear(x, self.up), self.down)
            if self.dense:
                return out, None
            shape, x = x.shape, x.reshape(-1, D_MODEL)
            with torch.autocast("cuda", enabled=False):
                score = torch.sigmoid(F.linear(x.float(), self.router))
            chosen = (score + self.bias).topk(TOP_K, -1).indices
            mask = torch.zeros_like(score).scatter(1, chosen, 1.0)
            weight = score * mask
            weight = weight / weight.sum(-1, keepdim=True) * ROUTE_SCALE
            # All experts are computed and weighted, zero where not chosen: simpler than sorting, and fast at this size.
            g = F.linear(x, self.gates.reshape(-1, D_MODEL))
            u = F.linear(x, self.ups.reshape(-1, D_MODEL))
            h = (F.silu(g) * u).view(-1, N_EXPERTS, D_FF) * weight[..., None].to(x.dtype)
            out = out + F.linear(h.reshape(-1, N_EXPERTS * D_FF), self.downs.transpose(0, 1).reshape(D_MODEL, -1)).view(shape)
            return out, mask.mean(0)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Parameter(torch.randn(N_BASE + len(SPECIAL), D_MODEL) * 0.5)
            self.head = nn.Parameter(torch.randn(N_BASE + len(SPECIAL), D_MODEL) / math.sqrt(D_MODEL))
            self.output_norm = nn.Parameter(torch.ones(D_MODEL))
            self.layers = nn.ModuleList(Layer(i == 0) for i in range(N_LAYERS))
            inverse = 1.0 / ROPE_BASE ** (torch.arange(0, D_ROPE, 2).float() / D_ROPE)
            angle = torch.arange(N_CTX).float()[:, None] * inverse
            self.register_buffer("cos", angle.cos()[None, :, None], persistent=False)
            self.register_buffer("sin", angle.sin()[None, :, None], persistent=False)

        def forward(self, ids):
            x = F.embedding(ids, self.embedding)
            cos, sin = self.cos[:, :ids.shape[1]], self.sin[:, :ids.shape[1]]
            loads = []
            for layer in self.layers:
                x = x + layer.attention(norm(x, layer.attn_norm), cos, sin)
                y, load = layer.ffn(norm(x, layer.ffn_norm))
                x = x + y
                if load is not None:
                    loads.append(load)
            return F.linear(norm(x, self.output_norm), self.head), torch.stack(loads)

    return Model()


def load_weights(folder):
    """The weights that train wrote, as float32 arrays by name."""
    import numpy as np
    raw = {}
    for part in range(4):
        for key, value in np.load(folder / f"weights{part}.npz").items():
            raw[key] = (value.astype(np.uint16).astype(np.uint32) << 16).view(np.float32) if value.dtype == np.int16 else value
    return raw


def train(folder, minutes, n_documents, words_file, base):
    import numpy as np
    import torch
    import torch.nn.functional as F
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = True
    start = time.time()
    step_size = 2000
    words = json.loads(words_file.read_text())
    jobs = [(at, at + step_size, words) for at in range(0, n_documents, step_size)]
    with multiprocessing.Pool() as pool:
        texts = [t for part in pool.imap(documents, jobs) for t in part]
    print(f"{len(texts)} documents, {sum(map(len, texts)) / 1e6:.1f} M characters, {time.time() - start:.0f} s", flush=True)
    if base:
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    else:
        tokenizer = make_tokenizer(texts[:60000])
    tokenizer.save(str(folder / "tokenizer.json"))
    ids = []
    for at in range(0, len(texts), 20000):
        for encoding in tokenizer.encode_batch_fast(texts[at:at + 20000], add_special_tokens=False):
            ids.append(np.array(encoding.ids, dtype=np.int16))
    held_out, ids = np.concatenate(ids[:2000]), np.concatenate(ids[2000:])
    print(f"{len(ids) / 1e6:.1f} M tokens, {time.time() - start:.0f} s", flush=True)
    data = torch.from_numpy(ids).cuda()
    test = torch.from_numpy(held_out[:len(held_out) // 512 * 512].astype(np.int64)).view(-1, 512).cuda()
    model = build_model()
    if base:
        model.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in load_weights(base).items()})
    model = model.cuda()
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}],
                                  lr=0.0, betas=(0.9, 0.95), fused=True)
    batch, length, peak = 192, 512, 1.5e-3 if base else 2.5e-3

    def loss_of(rows):
        logits, loads = model(rows[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1).float(), rows[:, 1:].flatten()), loads
    loss_compiled = torch.compile(loss_of)
    generator = torch.Generator(device="cuda").manual_seed(1)
    offsets = torch.arange(length + 1, device="cuda")
    log, begin, step, share = [], time.time(), 0, 0.0
    while share < 1:
        if step == 5:
            begin = time.time()  # compilation is over
        share = (time.time() - begin) / (60 * minutes) if step >= 5 else 0.0
        rate = peak * min(1, (step + 1) / 100) * (0.02 + 0.98 * (1 - share) if share < 1 else 0.02)
        for group in optimizer.param_groups:
            group["lr"] = rate
        first = torch.randint(len(data) - length - 1, (batch, 1), device="cuda", generator=generator)
        rows = data[first + offsets].long()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss, loads = loss_compiled(rows)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        # Balancing without a loss term (arXiv 2408.15664): experts chosen too rarely gain bias.
        for layer, load in zip([l for l in model.layers if not l.dense], loads.detach()):
            layer.bias += 0.002 * (1 - share) * torch.sign(load.mean() - load)
        if step % 250 == 0:
            log.append((step, round(loss.item(), 4), round(time.time() - start)))
            print(*log[-1], flush=True)
        step += 1
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        held = sum(loss_of(rows)[0].item() for rows in test[:256].split(32)) / len(test[:256].split(32))
    print(f"steps {step}, tokens {step * batch * length / 1e6:.0f} M, held-out loss {held:.4f}")
    json.dump({"log": log, "steps": step, "tokens": step * batch * length, "held_out_loss": held, "documents": n_documents,
               "loads": loads.detach().float().cpu().tolist()}, open(folder / "log.json", "w"))
    state = {k: v.detach().float().cpu() for k, v in model.state_dict().items()}
    names = sorted(state)
    for part in (0, 1, 2, 3):
        chosen = names[part::4]
        np.savez(folder / f"weights{part}.npz", **{k: state[k].to(torch.bfloat16).view(torch.int16).numpy() if state[k].ndim > 1
                                                   else state[k].numpy() for k in chosen})
    sample(model, tokenizer)


def sample(model, tokenizer):
    import torch
    for prompt in ["Once upon a time", "[gMASK]<sop><|user|>Tell me a story about a brave mouse.<|assistant|></think>",
                   "[gMASK]<sop><|user|>Why is the sky blue?<|assistant|><think>", "[gMASK]<sop><|user|>Who are you?<|assistant|></think>"]:
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
            for _ in range(120):
                logits = model(torch.tensor([ids]).cuda())[0][0, -1]
                ids.append(int(logits.argmax()))
                if ids[-1] in (N_BASE, N_BASE + 7):
                    break
        print("---", tokenizer.decode(ids, skip_special_tokens=False), flush=True)


def export(folder, chat_template, path):
    import gguf
    import libgguf
    import numpy as np
    raw = load_weights(folder)
    tokenizer = json.load(open(folder / "tokenizer.json"))
    vocab = {i: t for t, i in tokenizer["model"]["vocab"].items()}
    n_vocab = N_BASE + len(SPECIAL)
    tokens = [vocab.get(i, f"[PAD{i}]") for i in range(N_BASE)] + SPECIAL
    types = [1 if i in vocab else 5 for i in range(N_BASE)] + [4 if s in USER_DEFINED else 3 for s in SPECIAL]
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    w = gguf.GGUFWriter(str(path), "deepseek2")
    w.add_type("model")
    w.add_name("glint demo")
    w.add_size_label("8x1.5M")
    w.add_license("apache-2.0")
    w.add_key_value("general.sampling.temp", 0.7, gguf.GGUFValueType.FLOAT32)
    w.add_key_value("general.sampling.top_p", 0.95, gguf.GGUFValueType.FLOAT32)
    a = "deepseek2."
    for key, value in [("block_count", N_LAYERS), ("context_length", N_CTX), ("embedding_length", D_MODEL),
                       ("feed_forward_length", D_FF_DENSE), ("attention.head_count", N_HEADS), ("attention.head_count_kv", 1),
                       ("expert_used_count", TOP_K), ("expert_group_count", 1), ("expert_group_used_count", 1),
                       ("expert_gating_func", 2), ("leading_dense_block_count", 1), ("vocab_size", n_vocab),
                       ("attention.q_lora_rank", Q_RANK), ("attention.kv_lora_rank", KV_RANK),
                       ("attention.key_length", KV_RANK + D_ROPE), ("attention.value_length", KV_RANK),
                       ("attention.key_length_mla", D_NOPE + D_ROPE), ("attention.value_length_mla", D_V),
                       ("expert_feed_forward_length", D_FF), ("expert_count", N_EXPERTS), ("expert_shared_count", 1),
                       ("rope.dimension_count", D_ROPE)]:
        w.add_uint32(a + key, value)
    w.add_float32(a + "rope.freq_base", ROPE_BASE)
    w.add_float32(a + "attention.layer_norm_rms_epsilon", EPS)
    w.add_float32(a + "expert_weights_scale", ROUTE_SCALE)
    w.add_bool(a + "expert_weights_norm", True)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("glm4")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_merges(merges)
    special = {name: N_BASE + i for i, name in enumerate(SPECIAL)}
    w.add_eos_token_id(special["<|endoftext|>"])
    w.add_pad_token_id(special["<|endoftext|>"])
    w.add_bos_token_id(special["[gMASK]"])
    w.add_eot_token_id(special["<|user|>"])
    w.add_unk_token_id(special["<|endoftext|>"])
    w.add_uint32("tokenizer.ggml.eom_token_id", special["<|observation|>"])
    w.add_chat_template(Path(chat_template).read_text())
    w.add_quantization_version(2)
    w.add_file_type(15)

    types_of = gguf.GGMLQuantizationType
    def add(name, value, dtype=None):
        value = np.ascontiguousarray(value, dtype=np.float32)
        if dtype is None:
            w.add_tensor(name, value)
            return
        rows = value.reshape(-1, value.shape[-1])
        packed = libgguf.quantize_rows(rows, libgguf.GGMLQuantizationType[dtype])
        w.add_tensor(name, packed.reshape(*value.shape[:-1], -1), raw_dtype=types_of[dtype])
    add("token_embd.weight", raw["embedding"], "Q4_K")
    add("output_norm.weight", raw["output_norm"])
    add("output.weight", raw["head"], "Q5_K")
    for i in range(N_LAYERS):
        b, g = f"blk.{i}.", lambda name: raw[f"layers.{i}.{name}"]
        kv_b = g("kv_b").reshape(N_HEADS, D_NOPE + D_V, KV_RANK)
        add(b + "attn_norm.weight", g("attn_norm"))
        add(b + "attn_q_a.weight", g("q_a"), "Q4_K")
        add(b + "attn_q_a_norm.weight", g("q_a_norm"))
        add(b + "attn_q_b.weight", g("q_b"), "Q4_K")
        add(b + "attn_kv_a_mqa.weight", g("kv_a"), "Q4_K")
        add(b + "attn_kv_a_norm.weight", g("kv_a_norm"))
        add(b + "attn_k_b.weight", kv_b[:, :D_NOPE].transpose(0, 2, 1), "Q8_0")
        add(b + "attn_v_b.weight", kv_b[:, D_NOPE:], "Q4_K")
        add(b + "attn_output.weight", g("output"), "Q4_K")
        add(b + "ffn_norm.weight", g("ffn_norm"))
        suffix = "" if i == 0 else "_shexp"
        for part in ("gate", "up", "down"):
            add(f"{b}ffn_{part}{suffix}.weight", g(part), "Q4_K")
        if i > 0:
            add(b + "ffn_gate_inp.weight", g("router"))
            add(b + "exp_probs_b.bias", g("bias"))
            for part in ("gate", "up", "down"):
                add(f"{b}ffn_{part}_exps.weight", g(part + "s"), "Q4_K")
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    print(path, Path(path).stat().st_size, "bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    t = commands.add_parser("train")
    t.add_argument("folder", type=Path)
    t.add_argument("--minutes", type=float, default=7)
    t.add_argument("--documents", type=int, default=600000)
    t.add_argument("--base", type=Path, help="folder of an earlier train whose vocabulary and weights are continued")
    t.add_argument("--words", type=Path, required=True, help="word lists that `words` wrote")
    d = commands.add_parser("words")
    d.add_argument("wordnet", type=Path)
    d.add_argument("path", type=Path)
    e = commands.add_parser("export")
    e.add_argument("folder", type=Path)
    e.add_argument("chat_template")
    e.add_argument("path")
    arguments = parser.parse_args()
    if arguments.command == "words":
        from demo_data.wordnet import read_wordnet
        arguments.path.write_text(json.dumps(read_wordnet(arguments.wordnet)))
    elif arguments.command == "train":
        train(arguments.folder, arguments.minutes, arguments.documents, arguments.words, arguments.base)
    else:
        export(arguments.folder, arguments.chat_template, arguments.path)


if __name__ == "__main__":
    main()
