// The grammar of RFC 9112, without its tolerant alternatives.
#include "api/http/http1_parser.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace keelson::api {
namespace {

constexpr std::size_t kLineBytesMax = 256;  // of a chunk's size line
constexpr std::size_t kFieldsMax = 512;
constexpr std::uint64_t kChunkBytesMax = std::uint64_t{1} << 32;  // of one chunk, as announced

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kToken = make_token_table();

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return kToken[static_cast<unsigned char>(c)]; });
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

std::string_view trim_blank(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool Http1Parser::fail(int code, std::string text) {
  state_ = State::failed;
  error_code_ = code;
  error_text_ = std::move(text);
  return false;
}

bool Http1Parser::take_expect_continue() {
  return std::exchange(expect_continue_, false);
}

void Http1Parser::next() {
  state_ = State::head;
  body_kind_ = BodyKind::none;
  head_.clear();
  line_.clear();
  trailer_bytes_ = 0;
  request_ = HttpRequest();
  keep_alive_ = true;
  expect_continue_ = false;
}

std::size_t Http1Parser::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && (state_ == State::head || state_ == State::body)) {
    const std::string_view rest = bytes.substr(used);
    used += state_ == State::head ? feed_head(rest) : feed_body(rest);
  }
  return used;
}

std::size_t Http1Parser::feed_head(std::string_view bytes) {
  if (head_.empty()) {
    // RFC 9112 2.2: an empty line before a request is skipped.
    std::size_t skipped = 0;
    while (skipped < bytes.size() && (bytes[skipped] == '\r' || bytes[skipped] == '\n')) ++skipped;
    if (skipped > 0) return skipped;
  }
  const std::size_t before = head_.size();
  head_.append(bytes);
  const std::size_t end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    if (head_.size() > limits_.head_bytes_max) fail(431, "request header too large");
    return bytes.size();
  }
  const std::size_t used = end + 4 - before;
  head_.resize(end + 2);
  if (head_.size() > limits_.head_bytes_max) {
    fail(431, "request header too large");
  } else if (parse_head() && choose_body() && body_kind_ == BodyKind::none) {
    state_ = State::complete;
  }
  return used;
}

bool Http1Parser::parse_head() {
  std::string_view rest = head_;
  bool first = true;
  std::size_t count = 0;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (first ? !parse_request_line(line) : !parse_field(line)) return false;
    first = false;
    if (++count > kFieldsMax) return fail(431, "too many header fields");
  }
  const std::size_t hosts = request_.headers.all("host").size();
  if (hosts > 1) return fail(400, "too many Host headers");
  if (hosts == 0 && !version_1_0_) return fail(400, "missing required Host header");
  return true;
}

bool Http1Parser::parse_request_line(std::string_view line) {
  const std::size_t method_end = line.find(' ');
  const std::size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end == method_end)
    return fail(400, "malformed request line");
  const std::string_view method = line.substr(0, method_end);
  std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  const std::string_view version = line.substr(target_end + 1);
  if (!is_token(method)) return fail(400, "malformed method");
  if (version == "HTTP/1.0") {
    version_1_0_ = true;
    keep_alive_ = false;
  } else if (version == "HTTP/1.1") {
    version_1_0_ = false;
  } else {
    return fail(version.starts_with("HTTP/") ? 505 : 400, "unsupported protocol version");
  }
  const bool printable = std::all_of(target.begin(), target.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
  });
  if (target.empty() || !printable) return fail(400, "malformed request target");
  // RFC 9112 3.2.2: the absolute form, as sent to proxies.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const std::size_t slash = target.find('/', scheme.size());
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  if (target.front() != '/' && !(target == "*" && method == "OPTIONS"))
    return fail(400, "malformed request target");
  target = target.substr(0, target.find('#'));
  const std::size_t mark = target.find('?');
  request_.method = method;
  request_.path = target.substr(0, mark);
  if (mark != std::string_view::npos) request_.query = target.substr(mark + 1);
  return true;
}

bool Http1Parser::parse_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return fail(400, "malformed header field");
  const std::string_view value = trim_blank(line.substr(colon + 1));
  if (!is_field_value(value)) return fail(400, "malformed header value");
  request_.headers.add(to_lower(line.substr(0, colon)), std::string(value));
  return true;
}

bool Http1Parser::choose_body() {
  const Headers& headers = request_.headers;
  if (headers.has_token("connection", "close")) keep_alive_ = false;
  if (version_1_0_ && headers.has_token("connection", "keep-alive")) keep_alive_ = true;
  const std::vector<std::string_view> encodings = headers.all("transfer-encoding");
  const std::vector<std::string_view> lengths = headers.all("content-length");
  if (!encodings.empty()) {
    if (version_1_0_ || !lengths.empty()) return fail(400, "ambiguous length of the body");
    if (encodings.size() != 1 || to_lower(encodings[0]) != "chunked")
      return fail(501, "unsupported transfer encoding");
    body_kind_ = BodyKind::chunk_size;
  } else if (!lengths.empty()) {
    const std::string_view text = lengths[0];
    const bool same = std::all_of(lengths.begin(), lengths.end(),
                                  [&](std::string_view other) { return other == text; });
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), body_left_);
    if (!same || code != std::errc() || end != text.data() + text.size())
      return fail(400, "malformed Content-Length");
    if (body_left_ > 0) body_kind_ = BodyKind::length;
  }
  if (body_kind_ == BodyKind::none) return true;
  state_ = State::body;
  expect_continue_ = !version_1_0_ && to_lower(headers.get("expect")) == "100-continue";
  if (body_kind_ == BodyKind::length && body_left_ > limits_.body_bytes_max) {
    // Not read at all: the handler refuses it, then the connection is closed.
    request_.body_too_large = true;
    keep_alive_ = false;
    expect_continue_ = false;
    state_ = State::complete;
  } else if (body_kind_ == BodyKind::length) {
    request_.body.reserve(body_left_);
  }
  return true;
}

std::size_t Http1Parser::feed_body(std::string_view bytes) {
  switch (body_kind_) {
    case BodyKind::length:
    case BodyKind::chunk_data: {
      const std::size_t n =
          static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, bytes.size()));
      add_body(bytes.substr(0, n));
      body_left_ -= n;
      if (body_left_ == 0 && state_ == State::body) {
        if (body_kind_ == BodyKind::length)
          state_ = State::complete;
        else
          body_kind_ = BodyKind::chunk_end;
      }
      return n;
    }
    case BodyKind::chunk_size:
    case BodyKind::chunk_end:
    case BodyKind::trailer: return feed_line(bytes);
    case BodyKind::none: break;
  }
  return 0;
}

void Http1Parser::add_body(std::string_view bytes) {
  if (request_.body.size() + bytes.size() > limits_.body_bytes_max) {
    request_.body_too_large = true;
    request_.body = {};
    keep_alive_ = false;
    state_ = State::complete;
    return;
  }
  request_.body.append(bytes);
}

std::size_t Http1Parser::feed_line(std::string_view bytes) {
  const std::size_t feed = bytes.find('\n');
  const std::size_t n = feed == std::string_view::npos ? bytes.size() : feed + 1;
  line_.append(bytes.substr(0, n));
  trailer_bytes_ += body_kind_ == BodyKind::trailer ? n : 0;
  if (trailer_bytes_ > limits_.head_bytes_max ||
      (line_.size() > kLineBytesMax && body_kind_ != BodyKind::trailer)) {
    fail(400, "malformed chunk");
    return n;
  }
  if (feed == std::string_view::npos) return n;
  if (!line_.ends_with("\r\n")) {
    fail(400, "malformed chunk");
    return n;
  }
  line_.resize(line_.size() - 2);
  end_line();
  line_.clear();
  return n;
}

bool Http1Parser::end_line() {
  if (body_kind_ == BodyKind::chunk_end) {
    if (!line_.empty()) return fail(400, "malformed chunk");
    body_kind_ = BodyKind::chunk_size;
    return true;
  }
  if (body_kind_ == BodyKind::trailer) {
    if (line_.empty()) state_ = State::complete;  // trailer fields are not kept
    return true;
  }
  const std::string_view size = trim_blank(std::string_view(line_).substr(0, line_.find(';')));
  const auto [end, code] = std::from_chars(size.data(), size.data() + size.size(), body_left_, 16);
  if (size.empty() || code != std::errc() || end != size.data() + size.size())
    return fail(400, "malformed chunk");
  // No honest sender announces this much; waiting for it would hold the connection.
  if (body_left_ > kChunkBytesMax) return fail(400, "chunk length too large");
  body_kind_ = body_left_ == 0 ? BodyKind::trailer : BodyKind::chunk_data;
  return true;
}

}  // namespace keelson::api
