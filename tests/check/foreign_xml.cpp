#include <cctype>

#include "foreign.hpp"

namespace rondo::testing {

namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Xml parse() {
    Xml xml;
    blanks();
    xml.root = element();
    blanks();
    if (at_ < text_.size()) fail("something follows the root");
    xml.error = error_;
    return xml;
  }

 private:
  bool failed() const { return !error_.empty(); }
  void fail(const std::string& what) {
    if (!failed()) error_ = what + " at " + std::to_string(at_);
  }
  char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void blanks() {
    while (std::isspace(static_cast<unsigned char>(here())) != 0) ++at_;
  }
  bool take(std::string_view word) {
    if (failed() || text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void need(std::string_view word) {
    if (!take(word)) fail("expected " + std::string(word));
  }
  std::string identifier() {
    const std::size_t begin = at_;
    while (std::isalnum(static_cast<unsigned char>(here())) != 0 || here() == '_') ++at_;
    if (begin == at_) fail("expected a name");
    return std::string(text_.substr(begin, at_ - begin));
  }

  Element element() {
    Element found;
    need("<");
    found.name = identifier();
    for (blanks(); !failed() && here() != '>' && here() != '/'; blanks()) attribute(found);
    if (take("/>")) return found;
    need(">");
    for (blanks(); !failed() && !text_.substr(at_).starts_with("</"); blanks()) {
      found.children.push_back(element());
    }
    need("</");
    need(found.name);
    need(">");
    return found;
  }

  void attribute(Element& element) {
    const std::string name = identifier();
    need("=\"");
    const std::size_t end = text_.find_first_of("\"<&", at_);
    if (failed() || end == text_.npos || text_[end] != '"') return fail("expected a quoted value");
    if (!element.attributes.emplace(name, text_.substr(at_, end - at_)).second) fail("twice");
    at_ = end + 1;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string error_;
};

}  // namespace

Xml parse_xml(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace rondo::testing
