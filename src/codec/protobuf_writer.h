// ProtobufWriter: writes the messages of many objects from their JSON text, in one pass over it.
// What it finds out about a type it keeps, so whoever writes often keeps the writer.
//
// The text is compact and was checked before (what the store holds); other text gives other bytes
// than it should, but is never left. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "codec/schema.h"

namespace keelson::codec {

class ProtobufWriter {
 public:
  ProtobufWriter();
  ~ProtobufWriter();
  // The message of an object of this type, which must live as long as the writer; kind and
  // apiVersion are no part of it. The bytes are good until the next call.
  std::string_view write(const Type& type, std::string_view json);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keelson::codec
