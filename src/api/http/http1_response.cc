// RFC 9112, the client's side. 1xx responses are skipped.
#include "api/http/http1_response.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace keelson::api {
namespace {
constexpr std::size_t kHeadBytesMax = 256 * 1024;
constexpr std::size_t kLineBytesMax = 1024;
}  // namespace

bool Http1ResponseParser::parse_head(std::string_view head) {
  const std::vector<std::string> lines = split(head, '\n');
  const std::string_view first = trim(lines[0]);
  const std::size_t space = first.find(' ');
  if (!first.starts_with("HTTP/1.") || space == std::string_view::npos) return false;
  const auto code = parse_int(first.substr(space + 1, 3));
  if (!code || *code < 100 || *code > 599) return false;
  const bool upgraded = *code == 101 && upgrades_;
  if (*code < 200 && !upgraded) return *code != 101;
  // Of HTTP/1.0 a connection ends with its answer.
  ends_with_connection_ = first.starts_with("HTTP/1.0");
  code_ = static_cast<int>(*code);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string_view line = trim(lines[i]);
    const std::size_t colon = line.find(':');
    if (line.empty()) continue;
    if (colon == std::string_view::npos) return false;
    headers_.add(to_lower(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
  }
  const std::string_view length = headers_.get("content-length");
  if (upgraded) {
    state_ = State::until_end;
  } else if (bodyless_ || code_ == 204 || code_ == 304) {
    state_ = State::complete;
  } else if (to_lower(headers_.get("transfer-encoding")) == "chunked") {
    state_ = State::size;
  } else if (!length.empty()) {
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), left_);
    if (error != std::errc() || end != length.data() + length.size()) return false;
    state_ = left_ == 0 ? State::complete : State::counted;
  } else {
    state_ = State::until_end;
    ends_with_connection_ = true;
  }
  return true;
}

bool Http1ResponseParser::end_line() {
  const std::string line(trim(buffer_));
  buffer_.clear();
  if (state_ == State::data_end) {
    state_ = State::size;
    return line.empty();
  }
  if (state_ == State::trailer) {
    if (line.empty()) state_ = State::complete;
    return true;
  }
  const std::string_view size = trim(std::string_view(line).substr(0, line.find(';')));
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), left_, 16);
  if (size.empty() || error != std::errc() || end != size.data() + size.size()) return false;
  state_ = left_ == 0 ? State::trailer : State::data;
  return true;
}

bool Http1ResponseParser::feed(std::string_view bytes, std::string& body) {
  while (!bytes.empty() && state_ != State::complete) {
    if (state_ == State::until_end) {
      body.append(bytes);
      return true;
    }
    if (state_ == State::counted || state_ == State::data) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      body.append(bytes.substr(0, n));
      bytes.remove_prefix(n);
      left_ -= n;
      if (left_ == 0) state_ = state_ == State::counted ? State::complete : State::data_end;
      continue;
    }
    if (state_ == State::head) {
      const std::size_t before = buffer_.size();
      buffer_.append(bytes);
      const std::size_t end = buffer_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
      if (end == std::string::npos) return buffer_.size() <= kHeadBytesMax;
      bytes.remove_prefix(end + 4 - before);
      const std::string head = buffer_.substr(0, end);
      buffer_.clear();
      if (!parse_head(head)) return false;
      continue;
    }
    const std::size_t feed = bytes.find('\n');
    buffer_.append(bytes.substr(0, feed == std::string_view::npos ? feed : feed + 1));
    if (buffer_.size() > kLineBytesMax) return false;
    if (feed == std::string_view::npos) return true;
    bytes.remove_prefix(feed + 1);
    if (!end_line()) return false;
  }
  return true;
}

bool Http1ResponseParser::finish() {
  if (state_ == State::until_end) state_ = State::complete;
  return state_ == State::complete;
}

}  // namespace keelson::api
