"""int8 forms of an ONNX model for scripts/bench: NNCF for OpenVINO where it is installed, else and for ONNX Runtime QDQ.

Both are calibrated on the samples they are then run on, weights by output channel, activations by tensor.
"""
import contextlib
import os
import sys
import tempfile


def qdq(model, x):
    """onnxruntime.quantization's static form, as bytes; activations unsigned, weights signed, one scale a channel."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Samples(CalibrationDataReader):
        def __init__(self):
            self.left = [{"x": x}]

        def get_next(self):
            return self.left.pop() if self.left else None

    with tempfile.TemporaryDirectory() as folder:
        plain, prepared, quantised = (os.path.join(folder, name) for name in ("plain", "prepared", "quantised"))
        with open(plain, "wb") as file:
            file.write(model)
        quant_pre_process(plain, prepared)
        quantize_static(prepared, quantised, Samples(), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
        with open(quantised, "rb") as file:
            return file.read()


def openvino_model(core, model, x):
    """How it was quantised, and the OpenVINO model."""
    try:
        import nncf
    except ImportError:
        return "QDQ", core.read_model(qdq(model, x), b"")
    with contextlib.redirect_stdout(sys.stderr):  # its progress; figures go to the standard output
        return "NNCF", nncf.quantize(core.read_model(model, b""), nncf.Dataset([x]), subset_size=1)
