package pypi

// What the fields of an upload mean.

import (
	"slices"
	"strings"

	"larder/internal/multiform"
	"larder/internal/problem"
	"larder/store"
)

// form is the form of an upload with its fields under one spelling each.
type form struct{ *multiform.Form }

// spellings are field names that some client writes otherwise.
var spellings = map[string]string{
	"action": ":action", "provides_extras": "provides_extra",
	"import_name": "import_names", "import_namespace": "import_namespaces",
	"classifier": "classifiers", "project_url": "project_urls", "license_files": "license_file",
}

// fieldSignature is a file by its form, and small.
const fieldSignature = "gpg_signature"

// formLimits: the description of a project can be long, and a file of requirements has many fields.
func formLimits() multiform.Limits {
	return multiform.Limits{File: "content", Value: maxText, Values: maxTexts, Fields: maxParts, Spellings: spellings}
}

// get is a field's first value; what tools write for an unknown value counts as none.
func (f form) get(name string) string {
	if v := f.Get(name); v != "UNKNOWN" {
		return v
	}
	return ""
}

// actions are what the field :action may say. Registering a project without a file is what very old clients do first.
func (f form) action() (upload bool, err error) {
	switch action := f.get(":action"); {
	case action == "file_upload":
		return true, nil
	case action == "submit" || action == "submit_pkg_info":
		return false, nil
	case action == "doc_upload":
		return false, problem.Errorf(store.ErrInvalid, "This index hosts no documentation.")
	case action == "" && f.HasFile:
		return true, nil
	default:
		return false, problem.Errorf(store.ErrInvalid, "The field :action is %.40q, not file_upload.", action)
	}
}

// differs lists what the form says otherwise than the file's own metadata, which counts.
func (f form) differs(get func(string) string) []string {
	var out []string
	for field, header := range map[string]string{
		"summary": "Summary", "requires_python": "Requires-Python",
		"license": "License", "license_expression": "License-Expression",
		"author": "Author", "author_email": "Author-email", "home_page": "Home-page",
	} {
		sent := strings.Join(strings.Fields(f.get(field)), " ")
		if own := strings.Join(strings.Fields(get(header)), " "); sent != "" && sent != own {
			out = append(out, header)
		}
	}
	slices.Sort(out)
	return out
}
