"""ONNX Runtime's or OpenVINO's side of scripts/bench: NET MODE PRECISION THREADS onnxruntime|openvino DUMP.

MODE infer|latency. The network comes from PyTorch through ONNX, with the weights in DUMP. Speaks as torch_engine.py does.
"""
import io
import sys
import warnings

import torch

from quantised import openvino_model, qdq
from serve import serve
from torch_nets import inputs, load, network, read_dump


def exported(name, dump, x):
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(load(network(name), dump).eval(), (x,), target, input_names=["x"], output_names=["y"], dynamo=False)
    return target.getvalue()


def onnxruntime_call(model, x, threads, precision):
    import onnxruntime
    if precision == "int8":
        model = qdq(model, x)
    elif precision != "fp32":
        raise SystemExit(f"bench: ONNX Runtime has no {precision} on CPUs")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda: session.run(None, {"x": x})[0]


def openvino_call(model, x, threads, precision):
    import openvino
    core = openvino.Core()
    hints = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
             "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    by, model = openvino_model(core, model, x) if precision == "int8" else ("", core.read_model(model, b""))
    request = core.compile_model(model, "CPU", hints).create_infer_request()
    tensor = openvino.Tensor(x, shared_memory=True)

    def call():
        request.infer([tensor])
        return request.get_output_tensor().data

    return openvino.__version__.split("-")[0] + (by and "/" + by), call


def main():
    name, mode, precision, threads, runtime, path = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), *sys.argv[5:]
    dump = read_dump(path)
    x = inputs(dump)
    make = {"onnxruntime": onnxruntime_call, "openvino": openvino_call}[runtime]
    version, call = make(exported(name, dump, x), x.numpy(), threads, precision)
    found, expected = [call() for _ in range(3)][-1], dump["logits"]
    serve(version, call, len(x), mode == "latency", found, expected)


main()
