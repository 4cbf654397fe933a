#include "registry/tables/table.h"

#include <map>

#include "base/text.h"
#include "model/meta.h"
#include "model/scheme.h"
#include "model/selector.h"
#include "registry/tables/columns.h"

namespace keelson::registry {

namespace {

// A path and what stands for nothing there: ".spec.x?<none>".
struct PathWord {
  std::string path, fallback;
};
PathWord path_word(std::string_view text) {
  if (text.starts_with('.')) text.remove_prefix(1);
  const std::size_t mark = text.find('?');
  if (mark == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, mark)), std::string(text.substr(mark + 1))};
}

std::string text_of(const Value& value) {
  if (value.is_integer()) return std::to_string(value.as_int());
  return value.str();
}

std::string container_texts(const Value& containers, std::string_view member) {
  std::string out;
  for (const Value& container : containers.elements()) {
    if (!out.empty()) out += ',';
    out += container[member].as_string();
  }
  return out;
}

Cell cell_of(std::string_view expression) {
  expression = trim(expression);
  if (expression.starts_with('@')) {
    Cell cell = named_cell(expression.substr(1));
    KEELSON_CHECK(cell != nullptr);
    return cell;
  }
  if (expression.starts_with('.')) {
    const PathWord word = path_word(expression);
    return [word](const Value& object, Instant) -> Value {
      const std::string text = text_of(object.at(word.path));
      return text.empty() ? Value(word.fallback) : Value(text);
    };
  }
  const std::size_t space = expression.find(' ');
  const std::string_view head = expression.substr(0, space);
  const std::string_view tail = trim(expression.substr(space));
  const PathWord word = path_word(tail);
  const std::string path = word.path;
  if (head == "int")
    return [path](const Value& object, Instant) -> Value { return object.at(path).as_int(); };
  if (head == "bool") {
    const bool fallback = word.fallback == "true";
    return [path, fallback](const Value& object, Instant) -> Value {
      return object.at(path).as_bool(fallback);
    };
  }
  if (head == "count") {
    std::vector<std::string> paths;
    for (const std::string& one : split(tail, ' ')) paths.push_back(path_word(one).path);
    return [paths](const Value& object, Instant) -> Value {
      std::int64_t sum = 0;
      for (const std::string& one : paths) sum += static_cast<std::int64_t>(object.at(one).size());
      return sum;
    };
  }
  if (head == "age")
    return [path](const Value& object, Instant now) -> Value {
      return age_text(object.at(path), now);
    };
  if (head == "labels")
    return [path](const Value& object, Instant) -> Value { return labels_text(object.at(path)); };
  if (head == "selector")
    return [path](const Value& object, Instant) -> Value { return selector_text(object.at(path)); };
  if (head == "names" || head == "images") {
    const std::string member = head == "names" ? "name" : "image";
    return [path, member](const Value& object, Instant) -> Value {
      return container_texts(object.at(path), member);
    };
  }
  KEELSON_CHECK(head == "join");
  return [word](const Value& object, Instant) -> Value {
    std::vector<std::string> parts;
    for (const Value& one : object.at(word.path).elements()) parts.push_back(one.str());
    return parts.empty() ? Value(word.fallback) : Value(join(parts, ","));
  };
}

Column name_column() {
  return {"Name", "string",
          "name", "",
          0,      [](const Value& object, Instant) -> Value { return model::name_of(object); }};
}

Column age_column(std::string type = "string") {
  return {"Age", std::move(type), "", "", 0, cell_of("age .metadata.creationTimestamp")};
}

Column column_of(std::string_view line) {
  if (trim(line).starts_with("= ")) return {"", "string", "", "", 0, cell_of(trim(line).substr(2))};
  const std::size_t equals = line.find(" = ");
  if (equals == std::string_view::npos) return trim(line) == "Name" ? name_column() : age_column();
  Column column;
  std::string_view head = trim(line.substr(0, equals));
  const auto cut = [&](char mark) -> std::string {
    const std::size_t at = head.rfind(mark);
    if (at == std::string_view::npos) return {};
    std::string out(head.substr(at + 1));
    head = head.substr(0, at);
    return out;
  };
  const std::string priority = cut('*');
  if (!priority.empty()) column.priority = priority[0] - '0';
  column.format = cut('/');
  const std::string type = cut(':');
  if (!type.empty()) column.type = type;
  column.name = head;
  column.cell = cell_of(line.substr(equals + 3));
  return column;
}

using ColumnTable = std::map<std::string, std::shared_ptr<const Columns>, std::less<>>;

const ColumnTable& column_table() {
  static const ColumnTable table = [] {
    ColumnTable out;
    std::shared_ptr<Columns> current;
    for (const std::string& line : split(kColumns, '\n')) {
      if (line.empty()) continue;
      if (line.front() != ' ')
        out[line] = current = std::make_shared<Columns>();
      else
        current->push_back(column_of(line));
    }
    return out;
  }();
  return table;
}

const std::shared_ptr<const Columns>& plain_columns() {
  static const std::shared_ptr<const Columns> columns = std::make_shared<Columns>(Columns{
      name_column(), {"Created At", "date", "", "", 0, [](const Value& object, Instant) -> Value {
                        return object["metadata"]["creationTimestamp"];
                      }}});
  return columns;
}

// A value as the JSONPath printer of kubectl writes it: lists and maps as JSON.
Value printed(const Value& value) {
  if (value.is_string()) return value;
  if (value.is_null()) return nullptr;
  return codec::to_json(value);
}

Value custom_cell(std::string_view type, const Value& value, Instant now) {
  if (type == "string") return printed(value);
  if (type == "integer") {
    if (value.is_integer()) return value;
    return value.is_number() ? Value(value.as_int()) : Value();
  }
  if (type == "number") return value.is_number() ? value : Value();
  if (type == "boolean") return value.is_bool() ? value : Value();
  if (type == "date" && value.is_string()) {
    const Instant time = model::time_of(value);
    if (time.is_zero()) return "<invalid>";
    return human_duration(now - time);
  }
  return nullptr;
}

std::shared_ptr<const Columns> custom_columns(const model::Resource& resource) {
  auto columns = std::make_shared<Columns>();
  columns->push_back(name_column());
  const Value& declared = resource.definition["additionalPrinterColumns"];
  if (declared.empty()) columns->push_back(age_column("date"));
  for (const Value& one : declared.elements()) {
    const std::string path = one["jsonPath"].str(), type = one["type"].str();
    std::string description = one["description"].str();
    if (description.empty())
      description = "Custom resource definition column (in JSONPath format): " + path;
    columns->push_back({one["name"].str(), type, one["format"].str(), description,
                        static_cast<int>(one["priority"].as_int()),
                        [path, type](const Value& object, Instant now) -> Value {
                          const std::vector<Value> found = find_json_path(object, path);
                          if (found.empty()) return nullptr;
                          return custom_cell(type, found.front(), now);
                        }});
  }
  return columns;
}

Value column_json(const Column& column) {
  return Value::object({{"name", column.name},
                        {"type", column.type},
                        {"format", column.format},
                        {"description", column.description},
                        {"priority", column.priority}});
}

Value kept_form(const Kinds& kinds, const Value& object) {
  if (kinds.asked.custom) return object;
  // Events of both groups have columns of their own.
  if (&kinds.asked != &kinds.kept && kinds.asked.group == kinds.kept.group)
    if (auto kept = model::convert(kinds.asked, kinds.kept, object); kept.ok()) return *kept;
  constexpr std::string_view kGeneration = "deprecated.daemonset.template.generation";
  if (kinds.kept.name() != "daemonsets.apps" || !object["metadata"]["annotations"].has(kGeneration))
    return object;
  Value kept = object;
  Value& metadata = kept.edit("metadata");
  metadata.edit("annotations").erase(kGeneration);
  if (metadata["annotations"].empty()) metadata.erase("annotations");
  return kept;
}

Value bare_metadata(const Value& object, std::string_view meta_version) {
  return Value::object({{"apiVersion", "meta.k8s.io/" + std::string(meta_version)},
                        {"kind", "PartialObjectMetadata"},
                        {"metadata", object["metadata"]}});
}

Value row_of(const Columns& columns, const Kinds& kinds, const Value& object, const Form& form,
             Instant now) {
  const Value kept = kept_form(kinds, object);
  Value cells = Value::array();
  for (const Column& column : columns) cells.push_back(column.cell(kept, now));
  Value row = Value::object({{"cells", std::move(cells)}, {"object", nullptr}});
  if (form.include_object == "Object")
    row.set("object", object);
  else if (form.include_object != "None")
    row.set("object", bare_metadata(kept, form.version));
  if (model::kind_of(object) == "Pod" && model::pod_is_finished(object)) {
    const bool done = object["status"]["phase"].as_string() == "Succeeded";
    row.edit("conditions")
        .push_back(Value::object(
            {{"type", "Completed"},
             {"status", "True"},
             {"reason", object["status"]["phase"]},
             {"message", done ? "The pod has completed successfully." : "The pod failed."}}));
  }
  return row;
}

}  // namespace

std::shared_ptr<const Columns> columns_of(const model::Resource& resource,
                                          std::string_view subresource) {
  if (subresource == "scale") return column_table().find("scale")->second;
  if (resource.custom) return custom_columns(resource);
  const auto found = column_table().find(resource.name());
  return found == column_table().end() ? plain_columns() : found->second;
}

Value table_of(const Columns& columns, const Kinds& kinds, const Value& meta,
               const std::vector<Object>& items, const Form& form, Instant now, bool with_columns) {
  Value table = Value::object({{"apiVersion", "meta.k8s.io/" + form.version},
                               {"kind", "Table"},
                               {"metadata", meta.is_object() ? meta : Value::object()}});
  Value definitions = with_columns ? Value::array() : Value();
  if (with_columns)
    for (const Column& column : columns)
      if (!column.name.empty()) definitions.push_back(column_json(column));
  table.set("columnDefinitions", std::move(definitions));
  // The original's generic columns leave the rows of an empty list out.
  Value rows = items.empty() && &columns == plain_columns().get() ? Value() : Value::array();
  for (const Object& item : items) rows.push_back(row_of(columns, kinds, item.value(), form, now));
  table.set("rows", std::move(rows));
  return table;
}

Value partial_of(const Kinds& kinds, const Value& object, std::string_view meta_version) {
  return bare_metadata(kept_form(kinds, object), meta_version);
}

std::string human_duration(Duration duration) {
  const std::int64_t seconds = duration.count_nanoseconds() / 1'000'000'000;
  const auto text = [](std::int64_t n, char unit) { return std::to_string(n) + unit; };
  const auto pair = [&](std::int64_t a, char unit_a, std::int64_t b, char unit_b) {
    return text(a, unit_a) + (b ? text(b, unit_b) : "");
  };
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return text(seconds, 's');
  const std::int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return text(minutes, 'm');
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return text(hours, 'h');
  if (days < 8) return pair(days, 'd', hours % 24, 'h');
  if (days < 730) return text(days, 'd');
  if (days < 365 * 8) return pair(days / 365, 'y', days % 365, 'd');
  return text(days / 365, 'y');
}

}  // namespace keelson::registry
