// What most files include, for builds that parse it once (-Db_pch=true). No file may count on that.
// Compilers take it for a main file, in which #pragma once is a warning.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "rondo/simulate.hpp"
