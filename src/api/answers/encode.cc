// Threshold and level of compression: apiserver pkg/endpoints/handlers/responsewriters/writers.go.
// Wording of decoding errors: apimachinery pkg/runtime/serializer.
#include "api/answers/encode.h"

#include <optional>
#include <utility>

#include "api/answers/protobuf_answers.h"
#include "base/text.h"
#include "codec/protobuf.h"
#include "codec/yaml.h"
#include "model/meta.h"

namespace keelson::api {
namespace {

constexpr std::size_t kGzipFrom = 128 * 1024;
constexpr int kGzipLevel = 1;
constexpr std::size_t kStreamFrom = 64 * 1024;     // longer lists are pulled piece by piece
constexpr std::size_t kMeasureFrom = 1024 * 1024;  // in protobuf, where that takes some more

HttpResponse with_text(int code, std::string text, const Format& format) {
  HttpResponse response{code,
                        {{"content-type", std::string(media_type(format.wire))},
                         {"cache-control", "no-cache, private"}},
                        ""};
  if (format.gzip && text.size() >= kGzipFrom) {
    response.headers.add("content-encoding", "gzip");
    response.headers.add("vary", "Accept-Encoding");
    response.text = gzip(text, kGzipLevel);
  } else {
    response.text = std::move(text);
  }
  return response;
}

// A long answer that is pulled piece by piece; `size`: about so long it is.
HttpResponse with_body(int code, std::unique_ptr<Body> body, std::size_t size,
                       const Format& format) {
  HttpResponse answer = with_text(code, "", format);
  answer.body = std::move(body);
  if (format.gzip && size >= kGzipFrom) {
    answer.headers.add("content-encoding", "gzip");
    answer.headers.add("vary", "Accept-Encoding");
    answer.body = make_gzip_body(std::move(answer.body), kGzipLevel);
  }
  return answer;
}

std::string summary_of(std::string_view data) {
  constexpr std::size_t shown = 30;
  if (data.empty()) return "<empty>";
  const std::string_view head = data.substr(0, shown);
  const std::string text = data[0] == '{' ? std::string(head) : to_hex(head);
  return data.size() > shown ? text + " ..." : text;
}

Error unrecognized(std::string_view kind, const std::string& why, std::string_view data) {
  if (kind == "DeleteOptions") return {Reason::bad_request, why};
  return {Reason::bad_request, "the object provided is unrecognized (must be of type " +
                                   std::string(kind) + "): " + why + " (" + summary_of(data) + ")"};
}

std::string_view go_type_of(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::boolean: return "bool";
    case Value::Kind::integer:
    case Value::Kind::number: return "number";
    case Value::Kind::string: return "string";
    case Value::Kind::array: return "array";
    default: return "object";
  }
}

// What the original's first look at a document, for its type, finds wrong; empty if nothing.
std::string type_problem(const Value& value) {
  if (!value.is_object() && !value.is_null()) {
    return "json: cannot unmarshal " + std::string(go_type_of(value)) +
           " into Go value of type struct { APIVersion string "
           "\"json:\\\"apiVersion,omitempty\\\"\"; "
           "Kind string \"json:\\\"kind,omitempty\\\"\" }";
  }
  for (const std::string_view key : {"apiVersion", "kind"}) {
    const Value& member = value[key];
    if (!member.is_string() && !member.is_null()) {
      return "json: cannot unmarshal " + std::string(go_type_of(member)) +
             " into Go struct field ." + std::string(key) + " of type string";
    }
  }
  return "";
}

// The bytes of a list: envelope, items, end. Keeps the response and with it the stored bytes.
class ListPieces {
 public:
  explicit ListPieces(std::shared_ptr<const registry::Response> response)
      : response_(std::move(response)) {}
  bool operator()(std::string& out) {
    if (!started_) {
      started_ = true;
      std::string_view head = response_->object.bytes();
      if (head.empty()) head = "{}";
      out += head.substr(0, head.size() - 1);
      if (head.size() > 2) out += ',';
      out += response_->items.empty() && response_->items_null ? "\"items\":null" : "\"items\":[";
      return true;
    }
    if (at_ < response_->items.size()) {
      if (at_ > 0) out += ',';
      const registry::Object& item = response_->items[at_++];
      out += response_->items_typed ? item.bytes() : item.untyped_bytes(buffer_);
      return true;
    }
    out += response_->items.empty() && response_->items_null ? "}" : "]}";
    return false;
  }

 private:
  std::shared_ptr<const registry::Response> response_;
  std::string buffer_;
  std::size_t at_ = 0;
  bool started_ = false;
};

std::size_t size_of(const registry::Response& response) {
  std::size_t size = response.object.bytes().size() + 16;
  for (const registry::Object& item : response.items) size += item.bytes().size() + 1;
  return size;
}

Value value_of(const registry::Response& response) {
  if (!response.is_list) return response.object.value();
  auto parsed = codec::parse_json(response.json());
  return parsed.ok() ? std::move(parsed).value() : Value();
}

std::optional<HttpResponse> protobuf_answer(
    const std::shared_ptr<const registry::Response>& response, const Format& format) {
  if (format.wire != Wire::protobuf || format.protobuf == nullptr) return std::nullopt;
  const registry::Response& r = *response;
  const std::size_t size = r.is_list ? size_of(r) : 0;
  if (size >= kMeasureFrom) {
    auto body = format.protobuf->list_body(response);
    if (!body) return std::nullopt;
    return with_body(r.code, std::move(body), size, format);
  }
  auto bytes = r.is_list ? format.protobuf->list(r) : format.protobuf->object(r.object.bytes());
  if (!bytes) return std::nullopt;
  return with_text(r.code, std::move(*bytes), format);
}

void add_warnings(HttpResponse& answer, const std::vector<std::string>& warnings) {
  for (const std::string& text : warnings) answer.headers.add("warning", warning_header(text));
}

}  // namespace

Format format_of(const HttpRequest& request, Wire wire) {
  Format format;
  format.wire = wire;
  format.gzip = request.headers.has_token("accept-encoding", "gzip");
  const std::size_t at = request.query.find("pretty=");
  if (at != std::string::npos && (at == 0 || request.query[at - 1] == '&')) {
    const std::string_view value = std::string_view(request.query).substr(at + 7);
    format.pretty = !value.starts_with('0') && !value.starts_with("false");
  } else {
    const std::string_view agent = request.headers.get("user-agent");
    format.pretty =
        agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0");
  }
  return format;
}

HttpResponse plain_text(int code, std::string text) {
  return {code,
          {{"content-type", "text/plain; charset=utf-8"}, {"x-content-type-options", "nosniff"}},
          std::move(text)};
}

HttpResponse encode(const Value& value, int code, const Format& format) {
  if (format.wire == Wire::protobuf) {
    auto bytes = format.protobuf != nullptr
                     ? format.protobuf->object(registry::to_object_json(value))
                     : std::nullopt;
    if (bytes) return with_text(code, std::move(*bytes), format);
    Format json = format;
    json.wire = Wire::json;
    return encode(value, code, json);
  }
  if (format.wire == Wire::yaml) return with_text(code, codec::to_yaml(value), format);
  if (format.pretty) return with_text(code, codec::to_json_indented(value) + "\n", format);
  return with_text(code, registry::to_object_json(value) + "\n", format);
}

HttpResponse encode_error(const Error& error, const Format& format) {
  HttpResponse answer = encode(registry::status_of(error), registry::code_of(error), format);
  if (error.retry_after_seconds > 0)
    answer.headers.add("retry-after", std::to_string(error.retry_after_seconds));
  add_warnings(answer, error.warnings);
  return answer;
}

HttpResponse encode(std::shared_ptr<const registry::Response> response, const Format& format) {
  const registry::Response& r = *response;
  HttpResponse answer;
  if (auto protobuf = protobuf_answer(response, format)) {
    answer = std::move(*protobuf);
  } else if (format.wire != Wire::json || format.pretty) {
    answer = encode(value_of(r), r.code, format);
  } else if (!r.is_list) {
    std::string text;
    text.reserve(r.object.bytes().size() + 1);
    text += r.object.bytes();
    text += '\n';
    answer = with_text(r.code, std::move(text), format);
  } else if (const std::size_t size = size_of(r); size < kStreamFrom) {
    answer = with_text(r.code, r.json() + "\n", format);
  } else {
    answer = with_body(r.code, make_piece_body(ListPieces(response)), size, format);
  }
  add_warnings(answer, r.warnings);
  return answer;
}

std::string warning_header(std::string_view text) {
  std::string out = "299 - \"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    // A line break would end the header.
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  return out + "\"";
}

void append_frame(std::string& out, const registry::WatchEvent& event, const Format& format) {
  if (format.wire == Wire::protobuf && format.protobuf != nullptr &&
      format.protobuf->append_frame(out, event))
    return;
  out += "{\"type\":\"";
  out += registry::to_text(event.type);
  out += "\",\"object\":";
  out += event.object.bytes();
  out += "}\n";
}

namespace {

Result<codec::JsonDocument> decode_protobuf(const std::string& body, std::string_view kind,
                                            const codec::Type* type) {
  if (!codec::is_protobuf(body)) {
    return unrecognized(kind,
                        "provided data does not appear to be a protobuf message, expected prefix "
                        "[107 56 115 0]",
                        body);
  }
  if (type == nullptr) {
    return Error{Reason::unsupported_media_type,
                 "the body of the request was in an unknown format - accepted media types include: "
                 "application/json, application/yaml"};
  }
  auto envelope = codec::open_protobuf(body);
  if (!envelope.ok()) return unrecognized(kind, envelope.error().message, body);
  auto object = codec::from_protobuf(*type, envelope->raw);
  if (!object.ok()) return unrecognized(kind, object.error().message, body);
  if (!envelope->api_version.empty()) object->set("apiVersion", envelope->api_version);
  if (!envelope->kind.empty()) object->set("kind", envelope->kind);
  return codec::JsonDocument{std::move(object).value(), {}};
}

}  // namespace

Result<codec::JsonDocument> decode_body(const HttpRequest& request, std::string_view kind,
                                        const codec::Type* type) {
  TRY(const Wire wire, body_wire(request.headers.get("content-type")));
  if (wire == Wire::protobuf) return decode_protobuf(request.body, kind, type);
  if (wire == Wire::yaml) {
    auto document = codec::parse_yaml(request.body);
    if (!document.ok()) return unrecognized(kind, document.error().message, request.body);
    if (const std::string problem = type_problem(document->value); !problem.empty())
      return unrecognized(kind, "couldn't get version/kind; json parse error: " + problem,
                          request.body);
    return codec::JsonDocument{std::move(document->value), std::move(document->duplicates)};
  }
  auto document = codec::parse_json_document(request.body);
  const std::string problem =
      document.ok() ? type_problem(document->value) : document.error().message;
  if (!problem.empty())
    return unrecognized(kind, "couldn't get version/kind; json parse error: " + problem,
                        request.body);
  return document;
}

}  // namespace keelson::api
