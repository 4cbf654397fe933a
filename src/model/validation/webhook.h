// Where a webhook is called, for admission and for conversion.
#pragma once

#include <string>

#include "codec/value.h"
#include "model/field_error.h"

namespace keelson::model {

void check_webhook_url(const Path& path, const std::string& url, FieldErrors& errors);
// `swapped`: a missing name is reported as a missing namespace, and the other way round.
void check_webhook_service(const Path& path, const codec::Value& service, bool swapped,
                           FieldErrors& errors);

}  // namespace keelson::model
