// The bytes were read back with gnostic's own code, which found in them what it makes of the JSON.
#include "api/documents/openapi_wire.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "codec/json.h"

namespace keelson::api {
namespace {

codec::Value parse(std::string_view text) {
  auto value = codec::parse_json(text);
  return value.ok() ? *value : codec::Value();
}

constexpr std::string_view kVersion3 = R"({"openapi":"3.0.0","info":{"title":"K","version":"1"},
  "paths":{"/a":{"get":{"tags":["t"],"operationId":"i","responses":{"200":{"description":"OK",
    "content":{"*/*":{"schema":{"$ref":"#/r"}}}}},"x-kubernetes-action":"get"},
    "parameters":[{"name":"n","in":"path","required":true,"schema":{"type":"string"}}]}},
  "components":{"schemas":{"S":{"type":"object","minItems":0,"maximum":2.5,"nullable":true,
    "enum":["a",""],"not":{"required":["q"]},"properties":{
      "x-in":{"type":"integer","default":0},"e":{"additionalProperties":false},
      "d":{"allOf":[{"$ref":"#/r"}],"default":{}},"l":{"items":{"type":"string","default":""}}}}}}})";

constexpr std::string_view kVersion2 = R"({"swagger":"2.0","info":{"title":"K","version":"1"},
  "paths":{"/a":{"get":{"tags":["t"],"operationId":"i","consumes":["*/*"],"produces":["p"],
    "schemes":["https"],"parameters":[{"$ref":"#/parameters/w"},
      {"name":"body","in":"body","required":true,"schema":{"$ref":"#/definitions/S"}}],
    "responses":{"401":{"description":"No"}}}}},
  "definitions":{"S":{"type":"object","default":{"a":1},
    "x-kubernetes-group-version-kind":[{"group":"","kind":"S","version":"v1"}]}},
  "parameters":{"w":{"name":"w","in":"query","type":"boolean","uniqueItems":true}},
  "securityDefinitions":{"B":{"type":"apiKey","name":"a","in":"header"}},
  "security":[{"B":[]}]})";

TEST(OpenapiWire, Version3) {
  EXPECT_EQ(to_hex(openapi_v3_wire(parse(kVersion3))),
            "0a05332e302e3012060a014b32013122700a6e0a022f611268224a0a01742a0169422312210a03323030"
            "121a0a180a024f4b1a120a100a032a2f2a12090a0712050a03232f726a1d0a13782d6b756265726e6574"
            "65732d616374696f6e120612046765740a6a1a0a180a016e1204706174682001520b0a09ca0106737472"
            "696e672aa0010a9d010a9a010a01531294010a91010801590000000000000440c201041202610ac20105"
            "120322220aca01066f626a656374ea0104ba010171fa01640a140a0164120f0a0dd2010712050a03232f"
            "728a02000a0c0a016512070a0582020210000a1c0a016c12170a15f201120a100a0eca0106737472696e"
            "678a02021a000a200a04782d696e12180a16ca0107696e74656765728a0209090000000000000000");
}

TEST(OpenapiWire, Version2) {
  EXPECT_EQ(to_hex(openapi_v2_wire(parse(kVersion2))),
            "0a03322e3012060a014b120131426b12690a022f61126312610a01742a01693201703a032a2f2a421212"
            "100a0e232f706172616d65746572732f7742250a230a211204626f64791a04626f647920012a110a0f23"
            "2f646566696e6974696f6e732f534a0f0a0d0a0334303112060a040a024e6f520568747470734a670a65"
            "0a01531260fa01490a1f782d6b756265726e657465732d67726f75702d76657273696f6e2d6b696e6412"
            "2612242d2067726f75703a2022220a20206b696e643a20530a202076657273696f6e3a2076310a2a0712"
            "05613a20310ab201080a066f626a65637452210a1f0a0177121a12181a16120571756572792201773207"
            "626f6f6c65616ea0010162070a050a014212006a1c0a1a0a0142121512130a066170694b65791201611a"
            "06686561646572");
}

}  // namespace
}  // namespace keelson::api
