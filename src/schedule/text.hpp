#pragma once

// Steps in the words of schedule text; error texts use the same words.

#include <optional>
#include <string>
#include <string_view>

#include "rondo/schedule.hpp"

namespace rondo {

std::string_view name(Buffer buffer);

/// Those that have a collective, or all: "knomial, circulant".
std::string algorithm_names(std::optional<Collective> collective);

/// "out[2]" or "out[2..5]", both ends included.
std::string to_text(const Slice& slice);

/// "recv out[2] from 3 + in[2] complete wait 0>=2"
std::string to_text(const Program& program, const Step& step);

/// "ring allreduce ranks 3 root 0 radix 2 channels 2 order 2,0,1 groups 1,2"
std::string to_text(const Plan& plan);

/// {"algorithm":"ring","collective":"allreduce","ranks":3, …}, with "order", "groups" and "weights"
/// where the plan has an arrangement.
std::string plan_json(const Plan& plan);

/// "rank 2 lane 1 step 3 (send in[3] to 0)"
std::string where(const Program& program, std::size_t step_index);

/// What a step is about if its text doesn't say so: the first slice of `in` or `out` in it.
std::uint32_t implied_about(const Program& program, const Step& step);

}  // namespace rondo
