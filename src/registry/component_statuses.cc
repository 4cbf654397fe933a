// ComponentStatus: a deprecated kind that old tools still ask for. The parts it names are in this
// process; whoever gets an answer at all knows that they run.
#include "model/meta.h"
#include "registry/list_options.h"
#include "registry/selection.h"
#include "registry/subresources.h"
#include "registry/tables/table.h"

namespace keelson::registry {

namespace {

Value component(std::string_view name) {
  const Value healthy = Value::object({{"type", "Healthy"}, {"status", "True"}, {"message", "ok"}});
  return Value::object({{"apiVersion", "v1"},
                        {"kind", "ComponentStatus"},
                        {"metadata", Value::object({{"name", name}})},
                        {"conditions", Value::array({healthy})}});
}

constexpr std::string_view kComponents[] = {"controller-manager", "etcd-0", "scheduler"};

}  // namespace

Result<Response> component_statuses(Registry::State& state, Call& call) {
  if (call.request.verb == Verb::get) {
    for (const std::string_view name : kComponents)
      if (name == call.request.name) return state.answer(call, Object(component(name)), 200);
    return not_found({"", "componentstatus"}, call.request.name);
  }
  TRY_VOID(check_list_options(call.request.options, false));
  TRY(const Selection selection, Selection::of(*call.resource, call.request.options));
  Response response;
  response.warnings = std::move(call.warnings);
  for (const std::string_view name : kComponents)
    if (Value one = component(name); selection.matches(one))
      response.items.emplace_back(std::move(one));
  const Form& form = call.request.form;
  if (form.kind == Form::Kind::table) {
    response.object = Object(table_of(*columns_of(*call.resource), {*call.resource, *call.storage},
                                      Value::object(), response.items, form, call.now));
    response.items.clear();
    return response;
  }
  response.is_list = true;
  Value envelope = Value::object(
      {{"apiVersion", "v1"}, {"kind", call.resource->list_kind()}, {"metadata", Value::object()}});
  if (form.kind == Form::Kind::partial) {
    envelope.set("apiVersion", "meta.k8s.io/" + form.version);
    envelope.set("kind", "PartialObjectMetadataList");
    for (Object& item : response.items)
      item = Object(partial_of({*call.resource, *call.storage}, item.value(), form.version));
    response.items_typed = response.items_null = true;
  }
  response.object = Object(std::move(envelope));
  return response;
}

}  // namespace keelson::registry
