#include "api/answers/protobuf_answers.h"

#include <utility>

#include "codec/json.h"
#include "codec/json_text.h"
#include "codec/protobuf.h"
#include "model/meta.h"

namespace keelson::api {
namespace {

// Of JSON text that is measured in one turn of the loop: about a millisecond.
constexpr std::size_t kSliceBytes = 1u << 20;
constexpr std::size_t kRecentBytes = 1u << 20;
constexpr int kMetadataNumber = 1, kItemNumber = 2;

std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// Both numbers above have tags of one byte.
std::size_t field_size(std::size_t message) {
  return 1 + varint_size(message) + message;
}

void append_field_head(std::string& out, int number, std::uint64_t size) {
  constexpr int wire_bytes = 2;
  out += static_cast<char>(number << 3 | wire_bytes);
  for (; size >= 0x80; size >>= 7) out += static_cast<char>(size | 0x80U);
  out += static_cast<char>(size);
}

}  // namespace

// Measures in slices, then gives head, items and end.
class ProtobufAnswers::ListBody final : public Body {
 public:
  ListBody(ProtobufAnswers& answers, std::shared_ptr<const registry::Response> response,
           ListTypes types)
      : answers_(answers), response_(std::move(response)), types_(std::move(types)) {
    metadata_ = answers_.writer_.write(*types_.metadata,
                                       codec::to_json(response_->object.value()["metadata"]));
    size_ = field_size(metadata_.size());
  }

  State read(std::string& out, std::size_t want) override {
    if (!measured_) {
      if (!waits_) measure();
      if (!measured_) return State::waiting;
    }
    const std::size_t start = out.size();
    if (!started_) {
      started_ = true;
      codec::append_wrapped(out, types_.version, types_.kind, size_);
      append_field_head(out, kMetadataNumber, metadata_.size());
      out += metadata_;
    }
    for (; at_ < response_->items.size(); ++at_) {
      if (out.size() - start >= want) return State::more;
      answers_.append_item(out, response_->items[at_], *types_.item);
    }
    out += codec::kEndOfWrapped;
    return State::finished;
  }

 private:
  void measure() {
    for (std::size_t done = 0; at_ < response_->items.size(); ++at_) {
      if (done >= kSliceBytes) return go_on_later();
      const registry::Object& item = response_->items[at_];
      done += item.bytes().size();
      size_ += field_size(answers_.item_size(item, *types_.item));
    }
    at_ = 0;
    measured_ = true;
  }
  void go_on_later() {
    waits_ = true;
    answers_.loop_.post([this, alive = std::weak_ptr<int>(alive_)] {
      if (alive.expired()) return;
      waits_ = false;
      wake();
    });
  }

  ProtobufAnswers& answers_;
  std::shared_ptr<const registry::Response> response_;
  ListTypes types_;
  std::string metadata_;
  std::uint64_t size_ = 0;  // of the list's message
  std::size_t at_ = 0;
  bool measured_ = false, waits_ = false, started_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

ProtobufAnswers::ProtobufAnswers(host::Loop& loop, const model::TypeTable& types)
    : loop_(loop), types_(types) {
  partial_.name = "PartialObjectMetadata";
  partial_.shape = codec::Shape::structure;
  codec::Field field;
  field.type = types.type("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
  field.name = "metadata";
  field.number = 1;
  partial_.fields.push_back(field);
}

const codec::Type* ProtobufAnswers::type_of_kind(std::string_view api_version,
                                                 std::string_view kind) {
  std::string key(api_version);
  key.append(" ").append(kind);
  if (const auto known = kinds_.find(key); known != kinds_.end()) return known->second;
  const auto found = [&]() -> const codec::Type* {
    const model::GroupVersion gv = model::group_version_of(api_version);
    const auto resource = types_.find_kind(gv.group, gv.version, kind);
    if (resource && resource->type != nullptr) return resource->custom ? nullptr : resource->type;
    if (gv.group == "meta.k8s.io" || gv.group.empty()) {
      if (const auto* type =
              types_.type("io.k8s.apimachinery.pkg.apis.meta.v1." + std::string(kind)))
        return type;
    }
    for (const model::ResourcePointer& one : types_.all())
      for (const model::Subresource& subresource : one->subresources)
        if (!one->custom && subresource.kind == kind && subresource.group == gv.group &&
            subresource.version == gv.version && subresource.type != nullptr)
          return subresource.type;
    return nullptr;
  }();
  // What is not there today may come with a custom definition.
  if (found != nullptr) kinds_.emplace(std::move(key), found);
  return found;
}

std::optional<std::string> ProtobufAnswers::object(std::string_view json) {
  const codec::JsonText object(json);
  std::string version_buffer, kind_buffer;
  const std::string_view version = object["apiVersion"].as_string(version_buffer);
  const std::string_view kind = object["kind"].as_string(kind_buffer);
  const codec::Type* type =
      kind == "PartialObjectMetadata" ? &partial_ : type_of_kind(version, kind);
  if (type == nullptr) return std::nullopt;
  return codec::wrap_protobuf(version, kind, writer_.write(*type, json));
}

std::optional<ProtobufAnswers::ListTypes> ProtobufAnswers::list_types(
    const registry::Response& response) {
  const registry::Value& envelope = response.object.value();
  ListTypes types;
  types.version = envelope["apiVersion"].str();
  types.kind = envelope["kind"].str();
  const std::string_view kind = types.kind;
  if (!kind.ends_with("List")) return std::nullopt;
  types.item = kind == "PartialObjectMetadataList"
                   ? &partial_
                   : type_of_kind(types.version, kind.substr(0, kind.size() - 4));
  types.metadata = types_.type("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta");
  if (types.item == nullptr || types.metadata == nullptr) return std::nullopt;
  return types;
}

std::size_t ProtobufAnswers::item_size(const registry::Object& item, const codec::Type& type) {
  return writer_.write(type, item.bytes()).size();
}

void ProtobufAnswers::append_item(std::string& out, const registry::Object& item,
                                  const codec::Type& type) {
  const std::string_view message = writer_.write(type, item.bytes());
  append_field_head(out, kItemNumber, message.size());
  out += message;
}

std::optional<std::string> ProtobufAnswers::list(const registry::Response& response) {
  const auto types = list_types(response);
  if (!types) return std::nullopt;
  const std::string_view metadata =
      writer_.write(*types->metadata, codec::to_json(response.object.value()["metadata"]));
  std::string message;
  append_field_head(message, kMetadataNumber, metadata.size());
  message += metadata;
  for (const registry::Object& one : response.items) append_item(message, one, *types->item);
  return codec::wrap_protobuf(types->version, types->kind, message);
}

std::unique_ptr<Body> ProtobufAnswers::list_body(
    std::shared_ptr<const registry::Response> response) {
  auto types = list_types(*response);
  if (!types) return nullptr;
  return std::make_unique<ListBody>(*this, std::move(response), std::move(*types));
}

const std::string* ProtobufAnswers::written(const registry::Object& object) {
  const std::string_view bytes = object.bytes();
  if (const auto known = recent_.find(bytes.data()); known != recent_.end())
    return &known->second.bytes;
  auto made = this->object(bytes);
  if (!made) return nullptr;
  const auto forget = [this] {
    const auto oldest = recent_.find(recent_order_.front());
    recent_bytes_ -= oldest->second.bytes.size();
    recent_.erase(oldest);
    recent_order_.pop_front();
  };
  recent_bytes_ += made->size();
  recent_order_.push_back(bytes.data());
  auto& place = recent_[bytes.data()];
  place = {object, std::move(*made)};
  while (recent_bytes_ > kRecentBytes && recent_order_.size() > 1) forget();
  return &place.bytes;
}

bool ProtobufAnswers::append_frame(std::string& out, const registry::WatchEvent& event) {
  const std::string* bytes = written(event.object);
  if (bytes == nullptr) return false;
  out += codec::protobuf_watch_frame(registry::to_text(event.type), *bytes);
  return true;
}

}  // namespace keelson::api
