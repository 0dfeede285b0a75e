#include "transport/blame.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"

namespace rondo {

std::string describe(const Call& call) {
  if (call.form == Form::exchange) {
    return concat("exchange of ", call.count, call.count == 1 ? " message" : " messages");
  }
  if (call.collective == Collective::barrier) return "barrier";
  const bool uneven = call.form == Form::uneven;
  std::string text = concat(name(call.collective), uneven ? "v of " : " of ");
  if (!uneven || call.count > 0) text += concat(call.count, " ");
  text += name(call.dtype);
  switch (call.collective) {
    case Collective::allreduce:
    case Collective::reduce_scatter:
    case Collective::scan:
    case Collective::exscan:
      text += concat(", ", name(call.op));
      break;
    case Collective::reduce:
      text += concat(", ", name(call.op), ", root ", call.root);
      break;
    case Collective::broadcast:
    case Collective::gather:
    case Collective::scatter:
      text += concat(", root ", call.root);
      break;
    case Collective::allgather:
    case Collective::alltoall:
    case Collective::barrier:
      break;
  }
  return text;
}

std::vector<int> culprits(int observer, const std::vector<Testimony>& world) {
  std::set<int> silent;
  std::set<int> seen = {observer};
  std::vector<int> pending = {observer};
  while (!pending.empty()) {
    const int rank = pending.back();
    pending.pop_back();
    if (!world[rank].answered && rank != observer) {
      silent.insert(rank);
      continue;
    }
    for (const int next : world[rank].waiting_for) {
      if (seen.insert(next).second) pending.push_back(next);
    }
  }
  return {silent.begin(), silent.end()};
}

Error mismatch(const Claim& theirs, const Claim& ours) {
  std::string text =
      concat("ranks call different things: rank ", theirs.rank, " called ", describe(theirs.call),
             " as its operation ", theirs.sequence, ", rank ", ours.rank, " called ",
             describe(ours.call), " as its operation ", ours.sequence);
  const bool only_plan =
      describe(theirs.call) == describe(ours.call) && theirs.call.plan_hash != ours.call.plan_hash;
  if (only_plan) {
    text +=
        ours.call.form == Form::uneven
            ? "; they gave different counts of blocks, or use different algorithms or tile sizes"
            : "; they use different algorithms or tile sizes";
  }
  return Error(ErrorCode::mismatch, theirs.rank, std::move(text));
}

Error unlike_parcels(const Call& call, int sender, const Parcel& sent, int receiver,
                     const Parcel& expected) {
  if (call.form == Form::even) {
    return Error(ErrorCode::protocol, sender,
                 concat("rank ", sender, " sends a message of ", sent.bytes, " bytes where rank ",
                        receiver, " expects ", expected.bytes));
  }
  const bool typed = call.form == Form::exchange;
  const auto words = [&](const Parcel& parcel) {
    const DType dtype = typed ? parcel.dtype : call.dtype;
    return concat(parcel.bytes / size_of(dtype), " ", name(dtype));
  };
  return Error(ErrorCode::mismatch, sender,
               concat("ranks call different things: rank ", sender, " sends rank ", receiver, " ",
                      words(sent), " where rank ", receiver, " expects ", words(expected), " (",
                      describe(call), ")"));
}

Error departed(int peer, std::uint64_t sequence) {
  return Error(ErrorCode::peer_left, peer,
               concat("rank ", peer, " closed its communicator after its operation ", sequence,
                      ", while others still waited for it"));
}

Error unanswered(const std::vector<int>& culprits, std::string_view where) {
  std::string text = concat("the deadline passed: ", list_ranks(culprits), " did not answer");
  if (!where.empty()) text += concat(" (", where, ")");
  text += "; stopped, overloaded, or not in this call";
  return Error(ErrorCode::timeout, culprits.front(), std::move(text));
}

namespace {

std::vector<int> sorted(std::vector<int> ranks) {
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

}  // namespace

Error out_of_time(const std::vector<Testimony>& world) {
  constexpr int most_told = 4;
  std::string waits;
  int told = 0;
  for (std::size_t rank = 0; rank < world.size(); ++rank) {
    const Testimony& testimony = world[rank];
    if (testimony.waiting_for.empty()) continue;
    if (told == most_told) {
      waits += ", …";
      break;
    }
    ++told;
    waits += concat(waits.empty() ? "" : ", ", "rank ", rank, " waited for ",
                    list_ranks(sorted(testimony.waiting_for)));
  }
  const bool all_answered =
      std::all_of(world.begin(), world.end(), [](const Testimony& one) { return one.answered; });
  std::string text = concat("the deadline passed while all ranks ",
                            all_answered ? "" : "that others waited for ", "were still at it");
  if (!waits.empty()) text += concat(" (", waits, ")");
  return Error(ErrorCode::timeout, concat(text, "; raise the timeout"));
}

}  // namespace rondo
