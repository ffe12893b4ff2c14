"""Converts a TorchScript archive of triflow to ONNX. A program of its own, run by the package in a
process of its own, since a process can hold one LibTorch and this takes that of the package torch.

    python _onnx.py archive.pt model.onnx
"""

import json
import sys
import warnings

#: Version of the operators of ONNX.
OPSET = 18


def example(own, torch, rows=2):
    """An input of so many rows."""
    shape, dtype = [rows, *own["shape"][1:]], getattr(torch, own["type"])
    if not dtype.is_floating_point:
        return torch.ones(shape, dtype=dtype)
    # Times and presence are between 0 and 1.
    return torch.rand(shape, dtype=dtype) if len(shape) == 1 else torch.randn(shape, dtype=dtype)


def check(model, about, out, torch):
    """Ends where the file computes something else than the model."""
    import onnxruntime

    inputs = {own["name"]: example(own, torch, 50) for own in about["inputs"]}
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: values.numpy() for name, values in inputs.items()})
    with torch.no_grad():
        expected = model(*inputs.values()).numpy()
    # Beside the largest value of each entry, since columns of a table differ in size.
    off = (abs(found - expected).max(0) / abs(expected).max(0).clip(1)).max()
    if not off < 1e-3:
        sys.exit(
            f"this model cannot be written in ONNX: the file would compute something else than the model, "
            f"by {off:.1e}; use TorchScript (.pt)"
        )


def copy(g, to, values, non_blocking):
    """Copies of values into a tensor, which the exporter does not know."""
    return g.op("CastLike", g.op("Expand", values, g.op("Shape", to)), to)


def main(archive, out):
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import torch
    except ImportError as e:
        sys.exit(f"files in ONNX need the packages torch, onnx and onnxruntime ({e}): pip install 'triflow[onnx]'")
    warnings.simplefilter("ignore")
    texts = {"triflow.json": ""}
    model = torch.jit.load(archive, _extra_files=texts).eval()
    about = json.loads(texts["triflow.json"])
    names = [own["name"] for own in about["inputs"]]
    torch.onnx.register_custom_op_symbolic("aten::copy", copy, OPSET)
    try:
        with torch.no_grad():
            torch.onnx.export(
                model,
                tuple(example(own, torch) for own in about["inputs"]),
                out,
                input_names=names,
                output_names=["output"],
                dynamic_axes={name: {0: "batch"} for name in [*names, "output"]},
                opset_version=OPSET,
                dynamo=False,
            )
    except torch.onnx.errors.UnsupportedOperatorError as e:
        sys.exit(f"this model has an operation that ONNX lacks: {str(e).splitlines()[0]}")
    except RuntimeError as e:
        # Of operations that are not LibTorch's tensor operations, such as derivatives.
        sys.exit(f"this model cannot be written in ONNX: {str(e).splitlines()[0]}")
    check(model, about, out, torch)
    graph = onnx.load(out)
    graph.producer_name, graph.producer_version = "triflow", about["triflow"]
    own = graph.metadata_props.add()
    own.key, own.value = "triflow.json", json.dumps(about)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
