#include "bind/drop_in/tally.hpp"

#include <iomanip>
#include <sstream>
#include <string_view>

namespace rondo::bind {

namespace {

std::string as_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

void write(std::ostream& out, const Amounts& amounts) {
  out << "\"calls\": " << amounts.calls << ", \"bytes\": " << amounts.bytes
      << ", \"seconds\": " << amounts.seconds;
}

void write(std::ostream& out, const KindTally& tally) {
  out << "{\"taken\": {";
  write(out, tally.taken);
  out << ", \"saved_seconds\": " << tally.saved_seconds << "}, \"passed\": {";
  write(out, tally.all_passed());
  out << ", \"why\": {";
  const char* separator = "";
  for (std::size_t i = 0; i < reason_count; ++i) {
    if (tally.passed[i].calls == 0) continue;
    out << separator << as_json(reason_names[i]) << ": {";
    write(out, tally.passed[i]);
    out << "}";
    separator = ", ";
  }
  out << "}}}";
}

void write(std::ostream& out, const Finding& finding) {
  out << "{\"collective\": " << as_json(name(finding.kind)) << ", \"ranks\": " << finding.ranks
      << ", \"type\": " << as_json(name(finding.type)) << ", \"bytes\": " << finding.bytes
      << ", \"rondo_us\": " << finding.times.rondo / 1e3
      << ", \"below_us\": " << finding.times.below / 1e3
      << ", \"taken\": " << (finding.way == Way::rondo ? "true" : "false") << "}";
}

bool is_empty(const KindTally& tally) {
  return tally.taken.calls == 0 && tally.all_passed().calls == 0;
}

KindTally total(const Tally& tally) {
  KindTally sum;
  for (const KindTally& kind : tally.kinds) sum += kind;
  return sum;
}

// The reasons of a kind, the most frequent first.
std::string reasons(const KindTally& tally) {
  std::string text;
  std::array<bool, reason_count> is_told{};
  for (std::size_t told = 0; told < reason_count; ++told) {
    std::size_t most = reason_count;
    for (std::size_t i = 0; i < reason_count; ++i) {
      if (is_told[i] || tally.passed[i].calls == 0) continue;
      if (most == reason_count || tally.passed[i].calls > tally.passed[most].calls) most = i;
    }
    if (most == reason_count) break;
    is_told[most] = true;
    if (!text.empty()) text += ", ";
    text += std::string(reason_names[most]) + " " + std::to_string(tally.passed[most].calls);
  }
  return text;
}

void write_row(std::ostream& out, std::string_view title, const KindTally& tally) {
  const Amounts passed = tally.all_passed();
  out << "  " << std::left << std::setw(25) << title << std::right << std::setw(10)
      << tally.taken.calls << std::setw(15) << tally.taken.bytes << std::setw(11)
      << tally.taken.seconds << std::setw(11) << tally.saved_seconds << std::setw(10)
      << passed.calls << std::setw(11) << passed.seconds << "  " << reasons(tally) << "\n";
}

}  // namespace

Amounts& Amounts::operator+=(const Amounts& other) {
  calls += other.calls;
  bytes += other.bytes;
  seconds += other.seconds;
  return *this;
}

Amounts KindTally::all_passed() const {
  Amounts sum;
  for (const Amounts& amounts : passed) sum += amounts;
  return sum;
}

KindTally& KindTally::operator+=(const KindTally& other) {
  taken += other.taken;
  for (std::size_t i = 0; i < reason_count; ++i) passed[i] += other.passed[i];
  saved_seconds += other.saved_seconds;
  return *this;
}

Sums& Sums::operator+=(const Sums& other) {
  for (std::size_t i = 0; i < kind_count; ++i) kinds[i] += other.kinds[i];
  communicators += other.communicators;
  formed += other.formed;
  forming_seconds += other.forming_seconds;
  return *this;
}

Tally& Tally::operator+=(const Tally& other) {
  *this += static_cast<const Sums&>(other);
  findings.insert(findings.end(), other.findings.begin(), other.findings.end());
  return *this;
}

std::string json(const Teller& teller, const Tally& tally) {
  std::ostringstream out;
  out << "{\n  \"form\": " << as_json(teller.form) << ",\n  \"mpi\": " << as_json(teller.mpi)
      << ",\n  \"mode\": " << as_json(teller.mode) << ",\n  \"ranks\": " << teller.ranks
      << ",\n  \"counted_ranks\": " << teller.counted
      << ",\n  \"communicators\": " << tally.communicators << ",\n  \"formed\": " << tally.formed
      << ",\n  \"forming_seconds\": " << tally.forming_seconds << ",\n  \"total\": ";
  write(out, total(tally));
  out << ",\n  \"collectives\": {";
  const char* separator = "\n";
  for (std::size_t i = 0; i < kind_count; ++i) {
    if (is_empty(tally.kinds[i])) continue;
    out << separator << "    " << as_json(kind_names[i]) << ": ";
    write(out, tally.kinds[i]);
    separator = ",\n";
  }
  out << "\n  },\n  \"findings\": [";
  separator = "\n";
  for (const Finding& finding : tally.findings) {
    out << separator << "    ";
    write(out, finding);
    separator = ",\n";
  }
  out << "\n  ]\n}\n";
  return out.str();
}

std::string table(const Teller& teller, const Tally& tally) {
  std::ostringstream out;
  out << "rondo under " << teller.mpi << " (" << teller.form << ", " << teller.mode << "), "
      << teller.counted << " of " << teller.ranks << " ranks: " << tally.formed << " of "
      << tally.communicators << " communicators taken\n  " << std::left << std::setw(25)
      << "collective" << std::right << std::setw(10) << "taken" << std::setw(15) << "bytes"
      << std::setw(11) << "seconds" << std::setw(11) << "saved s" << std::setw(10) << "passed"
      << std::setw(11) << "seconds"
      << "  why passed\n"
      << std::fixed << std::setprecision(4);
  for (std::size_t i = 0; i < kind_count; ++i) {
    if (!is_empty(tally.kinds[i])) write_row(out, kind_names[i], tally.kinds[i]);
  }
  write_row(out, "all", total(tally));
  return out.str();
}

}  // namespace rondo::bind
