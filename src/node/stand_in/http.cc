// Parsing is strict where it matters for framing and lenient elsewhere.
#include "node/stand_in/http.h"

#include <array>
#include <cstdint>

#include "base/text.h"

namespace keelson::node {
namespace {

constexpr std::size_t kHeadBytesMax = 64 * 1024;
constexpr std::size_t kBodyBytesMax = 1024 * 1024;
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct Head {
  std::size_t length = 0;  // of the body
  bool chunked = false;
};

std::optional<Head> read_headers(std::string_view text, HttpRequest& request) {
  Head head;
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const std::string name = to_lower(line.substr(0, colon));
    const std::string value = to_lower(trim(line.substr(colon + 1)));
    if (name == "content-length") {
      const auto length = parse_int(value);
      if (!length || *length < 0) return std::nullopt;
      head.length = static_cast<std::size_t>(*length);
    } else if (name == "transfer-encoding") {
      head.chunked = value == "chunked";
    } else if (name == "connection") {
      if (value == "close") request.keep_alive = false;
      if (value == "keep-alive") request.keep_alive = true;
    }
  }
  return head;
}

// The length of a whole chunked body at the front of `text`, its content into `body`.
std::optional<std::size_t> read_chunks(std::string_view text, std::string& body, bool& bad) {
  std::size_t at = 0;
  while (true) {
    const std::size_t end = text.find("\r\n", at);
    if (end == std::string_view::npos) return std::nullopt;
    std::size_t length = 0;
    for (const char c : text.substr(at, end - at)) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) break;
      length = length * 16 + static_cast<std::size_t>(digit);
      if (length > kBodyBytesMax) bad = true;
    }
    if (bad || body.size() + length > kBodyBytesMax) {
      bad = true;
      return std::nullopt;
    }
    if (text.size() < end + 2 + length + 2) return std::nullopt;
    body.append(text.substr(end + 2, length));
    at = end + 2 + length + 2;
    if (length == 0) return at;
  }
}

std::string_view reason_of(int code) {
  switch (code) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Status";
  }
}

void put_frame(std::string& out, std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
               std::string_view payload) {
  const auto n = static_cast<std::uint32_t>(payload.size());
  for (const std::uint32_t part : {n >> 16, n >> 8, n})
    out.push_back(static_cast<char>(part & 255));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (const std::uint32_t part : {stream >> 24, stream >> 16, stream >> 8, stream})
    out.push_back(static_cast<char>(part & 255));
  out.append(payload);
}

// A header field as HPACK's literal without indexing, with a new name.
void put_field(std::string& out, std::string_view name, std::string_view value) {
  out.push_back(0);
  out.push_back(static_cast<char>(name.size()));
  out.append(name);
  out.push_back(static_cast<char>(value.size()));
  out.append(value);
}

void put_health(std::string& out, std::uint32_t stream, bool serving) {
  constexpr std::uint8_t kEndHeaders = 4, kEndStream = 1;
  std::string head;
  head.push_back(static_cast<char>(0x88));  // :status 200, from the static table
  put_field(head, "content-type", "application/grpc");
  put_frame(out, 1, kEndHeaders, stream, head);
  // grpc.health.v1.HealthCheckResponse: field 1, SERVING = 1, NOT_SERVING = 2.
  const std::string message = {0, 0, 0, 0, 2, 8, static_cast<char>(serving ? 1 : 2)};
  put_frame(out, 0, 0, stream, message);
  std::string trailer;
  put_field(trailer, "grpc-status", "0");
  put_frame(out, 1, kEndHeaders | kEndStream, stream, trailer);
}

}  // namespace

HttpStep take_request(std::string& buffer, HttpRequest& request) {
  const std::size_t end = buffer.find("\r\n\r\n");
  if (end == std::string::npos)
    return buffer.size() > kHeadBytesMax ? HttpStep::bad : HttpStep::incomplete;
  const std::string_view text(buffer);
  const std::size_t line_end = text.find("\r\n");
  const std::string_view line = text.substr(0, line_end);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last <= first) return HttpStep::bad;
  request = {};
  request.method = std::string(line.substr(0, first));
  const std::string_view target = line.substr(first + 1, last - first - 1);
  request.path = std::string(target.substr(0, target.find('?')));
  request.keep_alive = line.substr(last + 1) == "HTTP/1.1";
  const std::string_view headers =
      end > line_end ? text.substr(line_end + 2, end - line_end - 2) : std::string_view();
  const auto head = read_headers(headers, request);
  if (!head || head->length > kBodyBytesMax) return HttpStep::bad;
  std::size_t total = end + 4;
  if (head->chunked) {
    bool bad = false;
    const auto length = read_chunks(text.substr(total), request.body, bad);
    if (bad) return HttpStep::bad;
    if (!length) return HttpStep::incomplete;
    total += *length;
  } else {
    if (text.size() < total + head->length) return HttpStep::incomplete;
    request.body = std::string(text.substr(total, head->length));
    total += head->length;
  }
  buffer.erase(0, total);
  return HttpStep::request;
}

std::string http_response(int code, std::string_view type, std::string_view body, bool keep_alive) {
  std::string out = "HTTP/1.1 " + std::to_string(code) + " ";
  out.append(reason_of(code)).append("\r\nContent-Type: ").append(type);
  out.append("\r\nContent-Length: ").append(std::to_string(body.size()));
  if (!keep_alive) out.append("\r\nConnection: close");
  out.append("\r\n\r\n").append(body);
  return out;
}

bool GrpcHealth::is_preface(std::string_view bytes) {
  return bytes.starts_with(kPreface);
}

bool GrpcHealth::may_be_preface(std::string_view bytes) {
  return kPreface.starts_with(bytes.substr(0, kPreface.size()));
}

bool GrpcHealth::converse(std::string& in, std::string& out, bool serving) {
  if (!greeted_) {
    in.erase(0, kPreface.size());
    put_frame(out, 4, 0, 0, "");  // our SETTINGS
    greeted_ = true;
  }
  while (in.size() >= 9) {
    const auto byte = [&](std::size_t i) {
      return static_cast<std::uint32_t>(static_cast<unsigned char>(in[i]));
    };
    const std::size_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (length > kHeadBytesMax) return false;
    if (in.size() < 9 + length) return true;
    const std::uint32_t type = byte(3), flags = byte(4);
    const std::uint32_t stream =
        (byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8)) & 0x7fffffff;
    const std::string payload = in.substr(9, length);
    in.erase(0, 9 + length);
    if (type == 4 && (flags & 1) == 0) put_frame(out, 4, 1, 0, "");       // SETTINGS: acknowledge
    if (type == 6 && (flags & 1) == 0) put_frame(out, 6, 1, 0, payload);  // PING
    if (type == 7) return false;                                          // GOAWAY
    // The end of a request, in its head or its body.
    if ((type == 0 || type == 1) && (flags & 1) != 0) put_health(out, stream, serving);
  }
  return true;
}

}  // namespace keelson::node
