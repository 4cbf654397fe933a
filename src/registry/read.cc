// Get and list: consistent reads at one revision, pages, selections, and the three forms in which
// objects are answered.
#include "base/text.h"
#include "model/meta.h"
#include "registry/crds/versions.h"
#include "registry/list_options.h"
#include "registry/selection.h"
#include "registry/state.h"
#include "registry/tables/table.h"

namespace keelson::registry {

Result<Response> Registry::State::answer(Call& call, const Object& object, int code) {
  Response response;
  response.code = code;
  response.revision = store.revision().number;
  response.warnings = std::move(call.warnings);
  const Form& form = call.request.form;
  if (form.kind == Form::Kind::table) {
    Value meta = Value::object();
    const std::string_view revision = model::revision_of(object.value());
    if (!revision.empty()) meta.set("resourceVersion", revision);
    const bool scale = call.request.subresource == "scale";
    response.object = Object(table_of(*columns_of(*call.resource, scale ? "scale" : ""),
                                      {*call.resource, scale ? *call.resource : *call.storage},
                                      meta, {object}, form, call.now));
  } else if (form.kind == Form::Kind::partial) {
    response.object =
        Object(partial_of({*call.resource, *call.storage}, object.value(), form.version));
  } else {
    response.object = object;
  }
  return response;
}

Result<Response> Registry::State::get(Call& call) {
  TRY(const std::int64_t wanted, parse_revision(call.request.options.revision));
  const store::Revision current = read_revision();
  if (wanted > current.number) return too_large_revision(wanted, current.number);
  TRY(const store::EntryPtr entry, store.get_at(call.key(), current));
  if (!entry) return not_found(call.group_resource(), call.request.name);
  TRY(Object object, served(call, entry));
  TRY(Response response, answer(call, object, 200));
  response.revision = current.number;
  return response;
}

namespace {

struct ListPlan {
  store::Range range;
  std::size_t limit = 0;
  std::string prefix;
};

Result<ListPlan> plan_list(const Call& call, std::int64_t current) {
  const Options& options = call.request.options;
  ListPlan plan;
  plan.prefix = call.storage->name() + "/";
  if (call.storage->namespaced && !call.request.namespace_.empty())
    plan.prefix += call.request.namespace_ + "/";
  if (!call.storage->namespaced) plan.prefix += "/";
  plan.range.prefix = plan.prefix;
  auto revision = parse_revision(options.revision);
  if (!revision.ok()) return bad_request("invalid resource version: " + revision.error().message);
  if (*revision > current) return too_large_revision(*revision, current);
  plan.limit = options.limit > 0 ? static_cast<std::size_t>(options.limit) : 0;
  // The cache answers such a list, and answers it whole.
  if (options.revision == "0") plan.limit = 0;
  if (!options.continue_token.empty()) {
    if (!options.revision.empty() && options.revision != "0")
      return bad_request("specifying resource version is not allowed when using continue");
    TRY(const ContinueToken token, parse_continue(options.continue_token));
    plan.range.from = plan.prefix + token.start;
    if (token.revision > 0) plan.range.at = {token.revision};
    return plan;
  }
  const bool exact = options.revision_match == "Exact" ||
                     (options.revision_match.empty() && *revision > 0 && plan.limit > 0);
  if (exact) plan.range.at = {*revision};
  return plan;
}

// With a continuation goes the token that takes it up in the present state.
Error list_expired(const Options& options) {
  if (options.continue_token.empty())
    return expired("The resourceVersion for the provided list is too old.");
  Error error = expired(
      "The provided continue parameter is too old to display a consistent list result. You can "
      "start a new list without the continue parameter, or use the continue token in this response "
      "to retrieve the remainder of the results. Continuing with the provided token results in an "
      "inconsistent list - objects that were created, modified, or deleted between the time the "
      "first chunk was returned and now may show up in the list.");
  if (auto token = parse_continue(options.continue_token); token.ok()) {
    token->revision = kInconsistent;
    error.continue_token = to_text(*token);
  }
  return error;
}

}  // namespace

Result<Response> Registry::State::list(Call& call) {
  const Options& options = call.request.options;
  TRY_VOID(check_list_options(options, false));
  TRY(const Selection selection, Selection::of(*call.resource, options));
  const store::Revision current = read_revision();
  TRY(ListPlan plan, plan_list(call, current.number));
  if (plan.range.at == store::Revision{}) plan.range.at = current;
  const std::size_t page_size = plan.limit == 0 ? 0 : plan.limit;
  Response response;
  response.is_list = true;
  response.items_typed = call.resource->custom;
  std::int64_t rest = 0;
  bool more = false;
  std::string next;
  store::Revision at;
  for (;;) {
    plan.range.limit = page_size == 0 ? 0 : std::max<std::size_t>(page_size, 64);
    plan.range.count_rest = page_size != 0;
    auto page = store.range(plan.range);
    if (!page.ok()) {
      if (page.error().reason == Reason::expired) return list_expired(options);
      return page.error();
    }
    at = page->revision;
    std::vector<Value> views;  // of custom resources
    if (call.storage->custom) {
      TRY(views, crds::view_all(*this, page->entries, *call.storage));
    }
    if (selection.everything())
      response.items.reserve(page_size == 0 ? page->entries.size() : page_size);
    std::size_t taken = 0;
    store::EntryPtr last;
    for (std::size_t i = 0; i < page->entries.size(); ++i) {
      const store::EntryPtr& entry = page->entries[i];
      const Written found{entry, views.empty() ? Value() : views[i]};
      // The page is full: the next one starts behind the last object that was taken, whatever lies
      // between; so an empty last page is never announced.
      if (page_size != 0 && response.items.size() == page_size) {
        if (!selection.takes(*entry, found.object)) {
          ++taken;
          continue;
        }
        more = true;
        rest = static_cast<std::int64_t>(page->entries.size() - taken + page->rest);
        break;
      }
      ++taken;
      if (!selection.takes(*entry, found.object)) continue;
      TRY(Object object, served(call, found));
      response.items.push_back(std::move(object));
      last = entry;
    }
    if (last) next = std::string(last->key().substr(plan.prefix.size())) + '\0';
    if (more || !page->more) break;
    plan.range.from = page->next;
    plan.range.at = at;
  }
  Value meta = Value::object({{"resourceVersion", at.text()}});
  if (more) {
    meta.set("continue", to_text(ContinueToken{at.number, next}));
    if (selection.everything()) meta.set("remainingItemCount", rest);
  }
  response.revision = current.number;
  response.warnings = std::move(call.warnings);
  const Form& form = call.request.form;
  if (form.kind == Form::Kind::table) {
    response.is_list = false;
    response.object = Object(table_of(*columns_of(*call.resource), {*call.resource, *call.storage},
                                      meta, response.items, form, call.now));
    response.items.clear();
    return response;
  }
  // Lists of custom resources carry the token even where it is empty.
  if (call.resource->custom && !meta.has("continue")) meta.set("continue", "");
  Value envelope = Value::object({{"apiVersion", call.resource->api_version()},
                                  {"kind", call.resource->list_kind()},
                                  {"metadata", std::move(meta)}});
  if (form.kind == Form::Kind::partial) {
    envelope.set("apiVersion", "meta.k8s.io/" + form.version);
    envelope.set("kind", "PartialObjectMetadataList");
    if (!more) envelope.edit("metadata").erase("continue");
    for (Object& item : response.items)
      item = Object(partial_of({*call.resource, *call.storage}, item.value(), form.version));
    response.items_typed = true;
    response.items_null = true;
  }
  response.object = Object(std::move(envelope));
  return response;
}

}  // namespace keelson::registry
