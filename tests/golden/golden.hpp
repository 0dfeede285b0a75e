#pragma once

// Golden files: texts that people have read and found right. After a wanted change,
//
//     RONDO_UPDATE_GOLDEN=1 meson test -C build schedule check topology
//
// writes them anew; the difference in version control is then what there is to review.

#include <string>
#include <string_view>

namespace rondo::testing {

/// Expects `text` to be what the file `name` in tests/golden holds.
void expect_golden(std::string_view name, const std::string& text);

}  // namespace rondo::testing
