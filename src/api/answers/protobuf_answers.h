// ProtobufAnswers: objects, lists and events of watches in protobuf, for one server. It remembers
// how the messages of each kind are written, and the last events, which many watches take.
//
// A list's length stands before its items. A long one is therefore measured first and then written
// piece by piece, both a slice at a time, so that it neither takes memory nor holds up the loop.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/http/http.h"
#include "codec/protobuf_writer.h"
#include "host/loop.h"
#include "model/types.h"
#include "registry/registry.h"

namespace keelson::api {

class ProtobufAnswers {
 public:
  // The table outlives this; its custom kinds may change, the others do not.
  ProtobufAnswers(host::Loop& loop, const model::TypeTable& types);

  // Each gives nothing for what has no message, such as custom resources.
  std::optional<std::string> object(std::string_view json);
  std::optional<std::string> list(const registry::Response& response);
  std::unique_ptr<Body> list_body(std::shared_ptr<const registry::Response> response);
  // False: nothing was appended.
  bool append_frame(std::string& out, const registry::WatchEvent& event);

 private:
  class ListBody;
  struct ListTypes {
    std::string version, kind;
    const codec::Type* item = nullptr;
    const codec::Type* metadata = nullptr;
  };
  // An event's object as it was written; `object` keeps the bytes that are its key.
  struct Written {
    registry::Object object;
    std::string bytes;
  };

  const codec::Type* type_of_kind(std::string_view api_version, std::string_view kind);
  std::optional<ListTypes> list_types(const registry::Response& response);
  std::size_t item_size(const registry::Object& item, const codec::Type& type);
  void append_item(std::string& out, const registry::Object& item, const codec::Type& type);
  const std::string* written(const registry::Object& object);

  host::Loop& loop_;
  const model::TypeTable& types_;
  codec::ProtobufWriter writer_;
  codec::Type partial_;  // PartialObjectMetadata
  std::map<std::string, const codec::Type*, std::less<>> kinds_;
  // Events, by where their bytes are: looked up, never walked.
  std::unordered_map<const char*, Written> recent_;
  std::deque<const char*> recent_order_;
  std::size_t recent_bytes_ = 0;
};

}  // namespace keelson::api
