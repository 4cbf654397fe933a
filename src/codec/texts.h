// Lists of strings, as which commands, names and addresses stand in objects.
#pragma once

#include <string>
#include <vector>

#include "codec/value.h"

namespace keelson::codec {

// What is no string reads as an empty one.
inline std::vector<std::string> texts_of(const Value& list) {
  std::vector<std::string> texts;
  texts.reserve(list.elements().size());
  for (const Value& one : list.elements()) texts.push_back(one.str());
  return texts;
}

}  // namespace keelson::codec
