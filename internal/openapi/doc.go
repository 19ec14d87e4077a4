// Package openapi describes an API by its Go types: what a value of a type becomes in JSON, and the schema of that, are
// made by one rule, so that a document cannot say anything else than what is sent.
//
// A field with a json tag is what encoding/json makes of it. One without has its name in lower case with underscores,
// and is left out when it has its zero value, or is an empty list or map; functions are left out. The fields of an
// embedded struct without a tag stand among those of the struct around it.
//
//	encode.go   values as JSON      fields.go   the rule
//	schema.go   types as schemas    document.go the document, OpenAPI 3.1
package openapi
