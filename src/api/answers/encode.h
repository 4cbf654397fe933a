// Objects and failures as HTTP answers, and bodies of requests as documents: JSON, YAML, protobuf.
// A long list is not built in memory: its items are copied from the store's bytes as the client
// takes them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/answers/negotiate.h"
#include "api/http/http.h"
#include "base/result.h"
#include "codec/json.h"
#include "model/types.h"
#include "registry/registry.h"

namespace keelson::api {

using codec::Value;
class ProtobufAnswers;

// How the answer to one request is to look.
struct Format {
  Wire wire = Wire::json;
  const model::TypeTable* types = nullptr;  // for bodies in protobuf
  ProtobufAnswers* protobuf = nullptr;      // null: answers in protobuf are not to be had
  bool pretty = false;
  bool gzip = false;  // the client takes it; used from 128 KiB on, as in Kubernetes
};
Format format_of(const HttpRequest& request, Wire wire);

HttpResponse encode(const Value& value, int code, const Format& format);
HttpResponse encode_error(const Error& error, const Format& format);
HttpResponse encode(std::shared_ptr<const registry::Response> response, const Format& format);
HttpResponse plain_text(int code, std::string text);

// `299 - "text"`, quoted as the header needs it.
std::string warning_header(std::string_view text);

// The bytes of one event of a watch.
void append_frame(std::string& out, const registry::WatchEvent& event, const Format& format);

// The body of a request about an object of this kind. Error: unsupported_media_type, or
// bad_request in the words of the original's decoders. type: of the body, for protobuf; null if it
// has none.
Result<codec::JsonDocument> decode_body(const HttpRequest& request, std::string_view kind,
                                        const codec::Type* type);

}  // namespace keelson::api
