#pragma once

// The functions that only the driver has. They are asked for when first needed, so that the library
// can be loaded where there is no driver.

#include <cuda.h>

#include "rondo/error.hpp"

namespace rondo {

struct Driver {
  decltype(&cuCtxGetCurrent) get_context;
  decltype(&cuCtxSetCurrent) set_context;
  decltype(&cuPointerGetAttribute) pointer_get_attribute;
  decltype(&cuMemGetAllocationGranularity) allocation_granularity;
  decltype(&cuMemCreate) mem_create;
  decltype(&cuMemRelease) mem_release;
  decltype(&cuMemAddressReserve) address_reserve;
  decltype(&cuMemAddressFree) address_free;
  decltype(&cuMemMap) mem_map;
  decltype(&cuMemUnmap) mem_unmap;
  decltype(&cuMemSetAccess) set_access;
  decltype(&cuMemRetainAllocationHandle) retain_handle;
  decltype(&cuMemExportToShareableHandle) export_handle;
  decltype(&cuMemImportFromShareableHandle) import_handle;
  decltype(&cuStreamWriteValue32) write_value;
  decltype(&cuStreamWaitValue32) wait_value;
};

/// Errors: unsupported, where there is no driver, or one that lacks some of these.
Result<const Driver*> driver();

}  // namespace rondo
