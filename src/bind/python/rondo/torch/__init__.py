"""rondo as a backend of torch.distributed: init_process_group("rondo").

Where the package is installed, PyTorch finds it by its entry points; `import rondo.torch` registers
it as well. RONDO_TORCH_REPLACE=gloo makes programs that name gloo use rondo. Tensors live on the
CPU, or with a PyTorch that is built with CUDA on its devices.
"""

import atexit
import importlib.machinery
import importlib.util
import os
import sys
import warnings
import weakref
from typing import Any

import torch
import torch.distributed as dist

from . import building

NAME = "rondo"
REPLACE = "RONDO_TORCH_REPLACE"

_groups: "weakref.WeakSet[Any]" = weakref.WeakSet()


def _module() -> Any:
    """The compiled backend; compiled first where need be."""
    if building.MODULE not in sys.modules:
        from .. import library  # pylint: disable=import-outside-toplevel  # loads librondo
        del library
        path = str(building.find_or_build())
        loader = importlib.machinery.ExtensionFileLoader(building.MODULE, path)
        spec = importlib.util.spec_from_file_location(building.MODULE, path, loader=loader)
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        sys.modules[building.MODULE] = module
    return sys.modules[building.MODULE]


def _create(options: Any, backend_options: Any) -> Any:
    """What PyTorch calls for each group, on its members."""
    if backend_options is not None:
        raise ValueError(f"the backend rondo takes no options, got {type(backend_options)}")
    group = _module().create(options.store, options.group_rank, options.group_size,
                             options.timeout, options.group_id, options.global_ranks_in_group,
                             "gloo" if os.environ.get(REPLACE) == "gloo" else NAME)
    _groups.add(group)
    return group


@atexit.register
def _end() -> None:
    """A program that ends without destroying its groups does not leave threads that use them."""
    for group in list(_groups):
        group.shutdown()


def register() -> None:
    """Makes the backend known to PyTorch. May be called again."""
    if not dist.is_available() or NAME in dist.Backend.backend_list:
        return
    devices = ["cpu"] if torch.version.cuda is None else ["cpu", "cuda"]
    dist.Backend.register_backend(NAME, _create, extended_api=True, devices=devices)
    replaced = os.environ.get(REPLACE)
    if replaced == "gloo":
        _replace_gloo()
    elif replaced:
        # An error here would end `import torch`.
        warnings.warn(f"{REPLACE}={replaced} is ignored: only gloo can be replaced; set "
                      f"{REPLACE}=gloo, or unset it", RuntimeWarning)


def _replace_gloo() -> None:
    """A group that is to use gloo gets rondo; its name stays."""
    config = torch.distributed.distributed_c10d.BackendConfig
    original = config.get_device_backend_map

    def get_device_backend_map(self: Any) -> Any:
        return {device: NAME if name == "gloo" else name
                for device, name in original(self).items()}

    config.get_device_backend_map = get_device_backend_map
    # PyTorch takes what is not its own for "custom", and the group looks for it by that.
    group = dist.ProcessGroup
    set_default = group._set_default_backend

    def _set_default_backend(self: Any, kind: Any) -> None:
        kinds = group.BackendType
        set_default(self, kinds.CUSTOM if kind == kinds.GLOO else kind)

    group._set_default_backend = _set_default_backend


register()
