#include "cuda/driver.hpp"

#include <optional>

#include "base/text.hpp"
#include "cuda/errors.hpp"

namespace rondo {

namespace {

// The version in which the functions had the form they have here.
constexpr unsigned version = 12000;

class Finder {
 public:
  template <class Function>
  void find(const char* name, Function& function) {
    if (missing_) return;
    void* found = nullptr;
    cudaDriverEntryPointQueryResult status = cudaDriverEntryPointSymbolNotFound;
    const cudaError_t error =
        cudaGetDriverEntryPointByVersion(name, &found, version, cudaEnableDefault, &status);
    if (error != cudaSuccess) {
      missing_ = cuda_error(name, error);
    } else if (status != cudaDriverEntryPointSuccess) {
      missing_ = Error(ErrorCode::unsupported, concat("the CUDA driver is too old: no ", name));
    }
    function = reinterpret_cast<Function>(found);
  }
  const std::optional<Error>& missing() const { return missing_; }

 private:
  std::optional<Error> missing_;
};

Result<Driver> find_all() {
  Driver all = {};
  Finder finder;
  finder.find("cuCtxGetCurrent", all.get_context);
  finder.find("cuCtxSetCurrent", all.set_context);
  finder.find("cuPointerGetAttribute", all.pointer_get_attribute);
  finder.find("cuMemGetAllocationGranularity", all.allocation_granularity);
  finder.find("cuMemCreate", all.mem_create);
  finder.find("cuMemRelease", all.mem_release);
  finder.find("cuMemAddressReserve", all.address_reserve);
  finder.find("cuMemAddressFree", all.address_free);
  finder.find("cuMemMap", all.mem_map);
  finder.find("cuMemUnmap", all.mem_unmap);
  finder.find("cuMemSetAccess", all.set_access);
  finder.find("cuMemRetainAllocationHandle", all.retain_handle);
  finder.find("cuMemExportToShareableHandle", all.export_handle);
  finder.find("cuMemImportFromShareableHandle", all.import_handle);
  finder.find("cuStreamWriteValue32", all.write_value);
  finder.find("cuStreamWaitValue32", all.wait_value);
  if (finder.missing()) return *finder.missing();
  return all;
}

}  // namespace

Result<const Driver*> driver() {
  static const Result<Driver> all = find_all();
  if (!all) return all.error();
  return &all.value();
}

}  // namespace rondo
