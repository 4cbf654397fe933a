// A scanner that keeps the path of where it is and compares it with the one that is looked for.
#include "model/json_places.h"

#include "codec/json.h"

namespace keelson::model {
namespace {

class Scanner {
 public:
  Scanner(std::string_view text, std::string_view path, int n)
      : text_(text), wanted_(path), left_(n) {}

  std::size_t find() {
    value();
    return found_;
  }

 private:
  bool done() const { return found_ != std::string_view::npos || at_ >= text_.size(); }
  void space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) < 4) ++at_;
  }
  std::string string() {
    const std::size_t start = at_++;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
    const auto parsed = codec::parse_json(text_.substr(start, at_ - start));
    return parsed ? parsed->str() : std::string();
  }
  // Only on the way to the wanted path is it worth keeping the path.
  void enter() {
    space();
    if (path_ == wanted_ && --left_ == 0) found_ = at_;
  }

  void value() {
    space();
    if (done()) return;
    if (text_[at_] == '{' || text_[at_] == '[') {
      container(text_[at_] == '{');
    } else if (text_[at_] == '"') {
      string();
    } else {
      while (at_ < text_.size() && std::string_view(",]} \t\r\n").find(text_[at_]) > 6) ++at_;
    }
  }

  void container(bool object) {
    const char close = object ? '}' : ']';
    ++at_;
    for (std::size_t i = 0; !done(); ++i) {
      space();
      if (at_ < text_.size() && text_[at_] == ',') {
        ++at_;
        space();
      }
      if (at_ >= text_.size() || text_[at_] == close) {
        ++at_;
        return;
      }
      const std::size_t length = path_.size();
      if (object) {
        const std::string key = string();
        space();
        ++at_;
        if (!path_.empty()) path_ += '.';
        path_ += key;
      } else {
        path_ += '[' + std::to_string(i) + ']';
      }
      enter();
      if (!done()) value();
      path_.resize(length);
    }
  }

  std::string_view text_, wanted_;
  std::string path_;
  int left_;
  std::size_t at_ = 0, found_ = std::string_view::npos;
};

}  // namespace

std::size_t place_of(std::string_view text, std::string_view path, int n) {
  return Scanner(text, path, n).find();
}

std::string number_text_at(std::string_view text, std::string_view path) {
  if (text.empty()) return {};
  const std::size_t at = place_of(text, path, 1);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at);
  return std::string(rest.substr(0, rest.find_first_not_of("+-.0123456789eE")));
}

}  // namespace keelson::model
