package openapi

// The document: operations with their parameters, bodies and answers.

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// Operation is an endpoint. Body, Answer and Stream are values of the types that are sent; nil: there is none.
type Operation struct {
	Method string
	// Path is below the server's URL; a parameter is {name}, and {name...} when it may have slashes in it.
	Path string
	ID   string
	// Right is what it needs, in the words of the tables of routes.
	Right   string
	Summary string
	Query   []Parameter
	Body    any
	// Status is that of a success, Answer its JSON; Type is its media type when it is no JSON.
	Status int
	Answer any
	Type   string
	// Stream: the answer is lines of JSON, of which the last but for an error is {"result": Answer}.
	Stream bool
	// Enums are the values that parameters of the path can have.
	Enums map[string][]string
}

// Parameter is one of a query.
type Parameter struct {
	Name, About string
	// Example is a value of the parameter's type: 0 for a number, "" for text.
	Example any
	// Values are all that it can be; nil: anything.
	Values []string
}

// Info is what the document says of the API.
type Info struct {
	Title, Version, About string
	// Server is the URL below which the paths are.
	Server string
	// Error is a value of the type of every failed answer.
	Error any
}

var pathField = regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)

// Document is an OpenAPI 3.1 document of operations.
func Document(info Info, list []Operation) ([]byte, error) {
	all, paths := schemas{}, Schema{}
	failed := Schema{
		"description": "The request failed.",
		"content":     Schema{"application/json": Schema{"schema": all.of(reflect.TypeOf(info.Error))}},
	}
	for _, op := range list {
		path := pathField.ReplaceAllString(op.Path, "{$1}")
		item, known := paths[path].(Schema)
		if !known {
			item = Schema{}
			paths[path] = item
		}
		method := strings.ToLower(op.Method)
		if item[method] != nil {
			return nil, fmt.Errorf("openapi: %s %s stands twice", op.Method, path)
		}
		item[method] = op.schema(all)
	}
	return Encode(map[string]any{
		"openapi": "3.1.0",
		"info":    Schema{"title": info.Title, "version": info.Version, "description": info.About},
		"servers": []any{Schema{"url": info.Server}},
		"paths":   paths,
		"components": Schema{
			"schemas":   all,
			"responses": Schema{"Failed": failed},
			"securitySchemes": Schema{
				"password": Schema{"type": "http", "scheme": "basic"}, "token": Schema{"type": "http", "scheme": "bearer"},
			},
		},
	})
}

// schema is the operation object.
func (op Operation) schema(all schemas) Schema {
	out := Schema{
		"operationId": op.ID, "summary": op.Summary, "x-right": op.Right,
		"responses": Schema{
			fmt.Sprint(op.Status): op.answer(all), "default": Schema{"$ref": "#/components/responses/Failed"},
		},
	}
	if params := op.parameters(all); len(params) > 0 {
		out["parameters"] = params
	}
	if op.Body != nil {
		out["requestBody"] = Schema{"content": Schema{"application/json": Schema{"schema": all.of(reflect.TypeOf(op.Body))}}}
	}
	login := []any{Schema{"password": []any{}}, Schema{"token": []any{}}}
	switch op.Right {
	case "open":
		out["security"] = []any{}
	case "list", "read": // anonymous clients too, where they may read
		out["security"] = append([]any{Schema{}}, login...)
	default:
		out["security"] = login
	}
	return out
}

func (op Operation) parameters(all schemas) (list []any) {
	for _, m := range pathField.FindAllStringSubmatch(op.Path, -1) {
		s := Schema{"type": "string"}
		if values := op.Enums[m[1]]; values != nil {
			s["enum"] = values
		}
		p := Schema{"name": m[1], "in": "path", "required": true, "schema": s}
		if m[2] != "" {
			p["description"] = "Slashes in it stay as they are."
		}
		list = append(list, p)
	}
	for _, q := range op.Query {
		s := all.of(reflect.TypeOf(q.Example))
		if q.Values != nil {
			s["enum"] = q.Values
		}
		list = append(list, Schema{"name": q.Name, "in": "query", "description": q.About, "schema": s})
	}
	return list
}

func (op Operation) answer(all schemas) Schema {
	out := Schema{"description": "It is done."}
	switch {
	case op.Type != "":
		out["content"] = Schema{op.Type: Schema{"schema": Schema{"type": "string"}}}
	case op.Answer == nil:
	case op.Stream:
		out["description"] = `Lines of JSON: {"done":N,"total":N}, at last {"result":…} as described, or {"error":…}.`
		out["content"] = Schema{"application/x-ndjson": Schema{"schema": Schema{
			"type": "object", "properties": Schema{"result": all.of(reflect.TypeOf(op.Answer))},
		}}}
	default:
		out["description"] = "The answer."
		out["content"] = Schema{"application/json": Schema{"schema": all.of(reflect.TypeOf(op.Answer))}}
	}
	return out
}
