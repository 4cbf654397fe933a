// Compressed, all documents of a bare server are about 300 KB, a tenth of what they are as text.
#include "api/documents/document_cache.h"

#include <openssl/sha.h>

#include <array>

#include "api/http/http.h"
#include "base/text.h"

namespace keelson::api {
namespace {

std::string tag_of(std::string_view text) {
  std::array<unsigned char, SHA512_DIGEST_LENGTH> digest{};
  SHA512(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string hex = to_hex({reinterpret_cast<char*>(digest.data()), digest.size()});
  for (char& c : hex)
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  return hex;
}

}  // namespace

std::string CachedDocument::text() const {
  return gunzip(packed);
}

const CachedDocument& DocumentCache::get(const std::string& key,
                                         const std::function<Resources()>& resources,
                                         const std::function<std::string()>& make,
                                         std::string tag) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second.document;
  constexpr int level = 1;
  const std::string text = make();
  if (tag.empty()) tag = tag_of(text);
  Entry entry{resources(), {std::move(tag), gzip(text, level)}};
  entry.document.packed.shrink_to_fit();
  return entries_.emplace(key, std::move(entry)).first->second.document;
}

void DocumentCache::keep_current(const std::function<Resources(const std::string& key)>& current) {
  std::erase_if(entries_,
                [&](const auto& one) { return one.second.resources != current(one.first); });
}

}  // namespace keelson::api
