"""Where the elements of an array are: NumPy arrays, and everything with DLPack (PyTorch, JAX …)."""

import ctypes
import sys
from ctypes import (POINTER, Structure, c_char_p, c_int32, c_int64, c_uint16, c_uint64, c_uint8,
                    c_void_p, py_object)
from typing import Any, NamedTuple, Tuple

from .errors import InvalidArgument
from .library import DTYPES


class Elements(NamedTuple):
    """`count` elements of `dtype`, one after the other from `address`. `keep` keeps them there."""

    address: int
    count: int
    dtype: str
    shape: Tuple[int, ...]
    writable: bool
    keep: Any


def find(array: Any, what: str = "the array") -> Elements:
    """Raises InvalidArgument unless the elements lie in this host's memory, in C order without
    gaps, and have a type that rondo knows."""
    if is_numpy(array):
        return _of_numpy(array, what)
    # Its address may be that of a temporary: a scalar of NumPy gives that of a copy.
    if hasattr(array, "__array_interface__"):
        raise InvalidArgument(f"{what} is a {type(array).__name__}, which is no array: nothing "
                              "would stay of what is written to it; write y = numpy.array(x), "
                              "give y, and read y afterwards")
    if hasattr(array, "__dlpack__"):
        return _of_dlpack(array, what)
    raise InvalidArgument(f"{what} is a {type(array).__name__}; it must be a NumPy array, or have "
                          "__dlpack__ as tensors of PyTorch and JAX do")


def is_numpy(array: Any) -> bool:
    """Whether it is an array of NumPy, which owns its elements or keeps who does."""
    numpy = sys.modules.get("numpy")  # is there, if anything can be one
    return numpy is not None and isinstance(array, numpy.ndarray)


def _of_numpy(array: Any, what: str) -> Elements:
    interface = array.__array_interface__
    shape = tuple(interface["shape"])
    dtype = str(array.dtype)
    _require_dtype(dtype, what)
    if interface["typestr"][0] == ">":
        raise InvalidArgument(f"{what} has the byte order of another machine")
    _require_contiguous(shape, interface.get("strides"), array.dtype.itemsize, what)
    address, read_only = interface["data"]
    return Elements(address, _count(shape), dtype, shape, not read_only, array)


class _Tensor(Structure):
    """DLTensor"""

    _fields_ = [("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32),
                ("ndim", c_int32), ("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16),
                ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64)),
                ("byte_offset", c_uint64)]


# DLDataTypeCode; of these the number of bits follows, but for those that name it.
_KINDS = {0: "int", 1: "uint", 2: "float", 4: "bfloat", 10: "float8_e4m3fn", 12: "float8_e5m2"}
_HOST = (1, 3, 11)  # kDLCPU, kDLCUDAHost, kDLROCMHost
_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = c_void_p
_get_pointer.argtypes = [py_object, c_char_p]


def _of_dlpack(array: Any, what: str) -> Elements:
    if getattr(array, "requires_grad", False):
        array = array.detach()
    device = array.__dlpack_device__()
    if device[0] not in _HOST:
        raise InvalidArgument(f"{what} lives on a device (DLPack type {int(device[0])}); rondo "
                              "takes arrays in the memory of the host")
    capsule = array.__dlpack__()
    tensor = ctypes.cast(_get_pointer(capsule, b"dltensor"), POINTER(_Tensor)).contents
    dtype = _KINDS.get(tensor.code, f"DLPack type {tensor.code}, ")
    if not dtype.startswith("float8"):
        dtype += str(tensor.bits)
    if tensor.lanes != 1:
        dtype += f"x{tensor.lanes}"
    _require_dtype(dtype, what)
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    strides = tuple(tensor.strides[i] for i in range(tensor.ndim)) if tensor.strides else None
    _require_contiguous(shape, strides, 1, what)
    address = (tensor.data or 0) + tensor.byte_offset
    # The capsule owns the view, and gives it back when it goes.
    return Elements(address, _count(shape), dtype, shape, True, capsule)


def _require_dtype(dtype: str, what: str) -> None:
    if dtype not in DTYPES:
        raise InvalidArgument(f"{what} holds {dtype}; rondo knows {', '.join(DTYPES)}")


def _require_contiguous(shape: Tuple[int, ...], strides: Any, unit: int, what: str) -> None:
    if strides is None or 0 in shape:
        return
    expected = unit
    for length, stride in zip(reversed(shape), reversed(tuple(strides))):
        if length != 1 and stride != expected:
            raise InvalidArgument(f"{what} has gaps or another order than C (shape {shape}, "
                                  f"strides {tuple(strides)}); copy it, or take a part without")
        expected *= length


def _count(shape: Tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count
