package pypi

// Records into the rows that documents are copied from. Pure.

import (
	"html"
	"strconv"
	"strings"

	"larder/internal/pep440"
	"larder/internal/pydist"
	"larder/internal/rawjson"
	"larder/pypi/simple"
	"larder/store"
)

// rowKey orders files by version, then name.
func rowKey(version pep440.Version, file string) []byte { return append(version.Key(), file...) }

// timeShort is upload_time of the JSON API: UTC, without saying so.
const timeShort = "2006-01-02T15:04:05"

// rowOf derives a file's row.
func rowOf(v *store.Version[Meta], a *artifact) simple.Row {
	r := simple.Row{
		Name: a.Name, Version: v.ID, Path: simple.FilePath(a.Digest.Encoded(), a.Name), Provenance: a.Attestations != "",
	}
	y, reason := yankOf(v, a)
	r.Simple = simpleMembers(a, y, reason)
	r.HTML = htmlAttributes(a, y, reason)
	r.Full = fullMembers(a, y, reason)
	return r
}

// textOrNull is a member that is null without a value.
func textOrNull(out []byte, key, value string) []byte {
	if value == "" {
		return append(append(append(out, ',', '"'), key...), `":null`...)
	}
	return rawjson.AppendMember(out, key, value)
}

// simpleMembers: the keys of PEP 691, 700, 714. Values are never null where a client cannot read null, and
// dist-info-metadata never appears: pip 22.3 to 23.1 dies of it in JSON.
func simpleMembers(a *artifact, yanked bool, reason string) string {
	out := []byte(`,"hashes":{"sha256":"` + a.Digest.Encoded() + `"},"size":`)
	out = strconv.AppendInt(out, a.Size, 10)
	out = rawjson.AppendMember(out, "upload-time", a.Uploaded.UTC().Format(simple.TimeForm))
	out = textOrNull(out, "requires-python", a.Requires)
	out = append(out, coreMetadata(a)...)
	if a.Signature != "" {
		out = append(out, `,"gpg-sig":true`...)
	}
	switch {
	case !yanked:
		out = append(out, `,"yanked":false`...)
	case reason == "":
		out = append(out, `,"yanked":true`...)
	default:
		out = rawjson.AppendMember(out, "yanked", reason)
	}
	return string(out)
}

func coreMetadata(a *artifact) string {
	if a.Kind != pydist.Wheel {
		return `,"core-metadata":false`
	}
	return `,"core-metadata":{"sha256":"` + a.Metadata.Encoded() + `"}`
}

// htmlAttributes: data-size and data-upload-time are not in the specification, and uv understands them.
func htmlAttributes(a *artifact, yanked bool, reason string) string {
	var b strings.Builder
	attribute := func(name, value string) { b.WriteString(" data-" + name + `="` + html.EscapeString(value) + `"`) }
	if a.Requires != "" {
		attribute("requires-python", a.Requires)
	}
	if a.Kind == pydist.Wheel {
		attribute("core-metadata", "sha256="+a.Metadata.Encoded())
	}
	if a.Signature != "" {
		attribute("gpg-sig", "true")
	}
	if yanked {
		attribute("yanked", reason)
	}
	attribute("size", strconv.FormatInt(a.Size, 10))
	attribute("upload-time", a.Uploaded.UTC().Format(simple.TimeForm))
	return b.String()
}

// fullMembers: a file in the JSON API. Here blake2b_256 is right; in the simple API it would break installers.
func fullMembers(a *artifact, yanked bool, reason string) string {
	out := rawjson.AppendString([]byte(`"filename":`), a.Name)
	out = append(out, `,"digests":{"sha256":"`+a.Digest.Encoded()+`"`...)
	if a.MD5 != "" {
		out = rawjson.AppendMember(out, "md5", a.MD5)
	}
	if a.Blake2 != "" {
		out = rawjson.AppendMember(out, "blake2b_256", a.Blake2)
	}
	out = textOrNull(append(out, '}'), "md5_digest", a.MD5)
	out = rawjson.AppendMember(out, "packagetype", a.Kind)
	out = rawjson.AppendMember(out, "python_version", a.Python)
	out = append(append(out, `,"size":`...), strconv.FormatInt(a.Size, 10)...)
	out = rawjson.AppendMember(out, "upload_time", a.Uploaded.UTC().Format(timeShort))
	out = rawjson.AppendMember(out, "upload_time_iso_8601", a.Uploaded.UTC().Format(simple.TimeForm))
	out = textOrNull(out, "requires_python", a.Requires)
	out = append(append(out, `,"yanked":`...), strconv.FormatBool(yanked)...)
	out = textOrNull(out, "yanked_reason", reason)
	out = append(out, coreMetadata(a)...)
	out = append(append(out, `,"has_sig":`...), strconv.FormatBool(a.Signature != "")...)
	out = rawjson.AppendMember(out, "comment_text", a.Comment)
	return string(append(out, `,"downloads":-1`...))
}
