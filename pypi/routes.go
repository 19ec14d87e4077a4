package pypi

// The grammar of paths: no handler, no store, no clock in this file.

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/pep440"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/pypi/simple"
)

// root is where the handler sees itself; wire.Deps.Path is where clients do. The others stand at the host's root, because
// clients know no other place for them.
const (
	root         = "/pypi"
	rootSimple   = "/simple"
	rootRPC      = "/RPC2"
	rootOIDC     = "/_/oidc"
	rootDiscover = "/.well-known/pytp"
)

// The operations. Their names are stable: the audit log and the metrics use them.
const (
	opSimple        = "pypi.simple"
	opProject       = "pypi.project"
	opRedirect      = "pypi.redirect"
	opFile          = "pypi.file"
	opMetadata      = "pypi.metadata"
	opSignature     = "pypi.signature"
	opProvenance    = "pypi.provenance"
	opUpload        = "pypi.upload"
	opPost          = "pypi.post"
	opRPC           = "pypi.rpc"
	opJSON          = "pypi.json"
	opVersionJSON   = "pypi.json.version"
	opAudience      = "pypi.oidc.audience"
	opMint          = "pypi.oidc.mint"
	opDiscover      = "pypi.oidc.discover"
	opYank          = "pypi.yank"
	opUnyank        = "pypi.unyank"
	opDeleteFile    = "pypi.delete.file"
	opDeleteVersion = "pypi.delete.version"
	opDelete        = "pypi.delete"
	opStatus        = "pypi.status"
	opForget        = "pypi.forget"
)

// aliases are the places of the simple API. Hatch looks for it below whatever address it uploads to.
var aliases = []string{root + "/simple", rootSimple, root + "/legacy/+simple", root + "/+simple", rootSimple + "/+simple", root + "/simple/+simple"}

const maxDiscover = 1024

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Op      string
	Name    string // normalised
	Version string // as asked for
	File    string // without the suffix of what stands beside it
	SHA     string // sha256 in hex
	Alias   int    // of aliases
	Format  string // media type that counts instead of Accept
	To      string // where a redirect leads, relative
	Path    string // the upload address a discovery asks about
}

// parse reads a request line. Its error wraps problem.ErrBadPath, problem.ErrNoRoute or problem.ErrMethod.
func parse(method, escapedPath string, query url.Values) (string, Request, error) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	segs, slash, err := splitPath(escapedPath)
	if err != nil {
		return "", Request{}, err
	}
	var q Request
	switch segs[0] {
	case "simple":
		q, err = parseSimple(method, segs[1:], slash, rootSimple)
	case "RPC2":
		q, err = only(len(segs) == 1, method, http.MethodPost, opRPC)
	case "_":
		q, err = parseOIDC(method, segs)
	case ".well-known":
		q, err = only(len(segs) == 2 && segs[1] == "pytp", method, http.MethodGet, opDiscover)
		q.Path = query.Get("discover")
		q.Path = q.Path[:min(len(q.Path), maxDiscover)]
	case "pypi":
		q, err = parseRoot(method, segs[1:], slash)
	default:
		err = noRoute()
	}
	if q.Op == opSimple || q.Op == opProject {
		q.Format = query.Get("format")
	}
	if q.Op == opRedirect && query.Get("format") != "" {
		q.To += "?" + url.Values{"format": query["format"][:1]}.Encode()
	}
	return q.Op, q, err
}

func noRoute() error { return problem.Errorf(problem.ErrNoRoute, "this index has no such address") }

// splitPath cuts the path at its slashes, then decodes. It says whether there is a slash at the end.
func splitPath(escaped string) (segs []string, slash bool, err error) {
	rest, ok := strings.CutPrefix(escaped, "/")
	if !ok {
		return nil, false, noRoute()
	}
	rest, slash = strings.CutSuffix(rest, "/")
	segs = strings.Split(rest, "/")
	for i, s := range segs {
		d, err := url.PathUnescape(s)
		if err != nil || d == "" || d == "." || d == ".." || strings.ContainsAny(d, "/\\\x00") || len(d) > 1024 {
			return nil, false, problem.Errorf(problem.ErrBadPath, "the path is malformed")
		}
		segs[i] = d
	}
	return segs, slash, nil
}

// only is the operation of an address that knows one method.
func only(found bool, method, want, op string) (Request, error) {
	if !found {
		return Request{}, noRoute()
	}
	return oneOf(method, Request{}, map[string]string{want: op})
}

// oneOf picks the operation for a method.
func oneOf(method string, q Request, ops map[string]string) (Request, error) {
	if q.Op = ops[method]; q.Op != "" {
		return q, nil
	}
	var allow []string
	for m := range ops {
		allow = append(allow, m)
		if m == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	return Request{}, problem.NotAllowed(allow...)
}

func parseOIDC(method string, segs []string) (Request, error) {
	switch {
	case len(segs) == 3 && segs[1] == "oidc" && segs[2] == "audience":
		return only(true, method, http.MethodGet, opAudience)
	case len(segs) == 3 && segs[1] == "oidc" && segs[2] == "mint-token":
		return only(true, method, http.MethodPost, opMint)
	}
	return Request{}, noRoute()
}

// parseRoot recognises what stands below /pypi. No project can be called "-" or "+simple"; one that is called as another
// address has its JSON all the same.
func parseRoot(method string, segs []string, slash bool) (Request, error) {
	n := len(segs)
	switch {
	case n == 0:
		return only(true, method, http.MethodPost, opPost)
	case segs[0] == "-":
		return parseManage(method, segs[1:])
	case n == 2 && segs[1] == "json" && !(segs[0] == "simple" && slash), n == 3 && segs[2] == "json":
		return parseJSON(method, segs, slash)
	}
	switch segs[0] {
	case "simple":
		return parseSimple(method, segs[1:], slash, root+"/simple")
	case "+simple":
		return parseSimple(method, segs, slash, root)
	case "legacy":
		if n > 1 {
			return parseSimple(method, segs[1:], slash, root+"/legacy")
		}
		return only(true, method, http.MethodPost, opUpload)
	case "files":
		return parseFile(method, segs[1:])
	case "integrity":
		return parseProvenance(method, segs[1:])
	}
	return Request{}, noRoute()
}

// parseSimple recognises the simple API below prefix, and the uploads of who gives one address for both.
func parseSimple(method string, segs []string, slash bool, prefix string) (Request, error) {
	if len(segs) > 0 && segs[0] == "+simple" {
		prefix, segs = prefix+"/+simple", segs[1:]
	}
	q := Request{Alias: slices.Index(aliases, prefix)}
	switch {
	case q.Alias < 0 || len(segs) > 1:
		return Request{}, noRoute()
	case len(segs) == 0 && method == http.MethodPost && !strings.HasSuffix(prefix, "+simple"):
		return Request{Op: opUpload}, nil
	case len(segs) == 0 && !slash:
		q.To = prefix[strings.LastIndexByte(prefix, '/')+1:] + "/"
		return oneOf(method, q, map[string]string{http.MethodGet: opRedirect})
	case len(segs) == 0:
		return oneOf(method, q, map[string]string{http.MethodGet: opSimple})
	}
	name, ok := projectName(segs[0])
	switch {
	case !ok:
		return Request{}, noRoute()
	case !slash:
		q.To = name + "/"
	case name != segs[0]:
		q.To = "../" + name + "/"
	default:
		q.Name = name
		return oneOf(method, q, map[string]string{http.MethodGet: opProject})
	}
	return oneOf(method, q, map[string]string{http.MethodGet: opRedirect})
}

func projectName(s string) (string, bool) {
	if pydist.CheckName(s) != nil {
		return "", false
	}
	return pydist.Normalise(s), true
}

// parseJSON recognises P/json and P/V/json.
func parseJSON(method string, segs []string, slash bool) (Request, error) {
	name, ok := projectName(segs[0])
	if !ok {
		return Request{}, noRoute()
	}
	q, op := Request{Name: name}, opJSON
	if len(segs) == 3 {
		q.Version, op = segs[1], opVersionJSON
	}
	if name != segs[0] {
		up, end := strings.Repeat("../", len(segs)-1), ""
		if slash {
			up, end = up+"../", "/"
		}
		to := name + "/" + strings.Join(segs[1:], "/")
		return oneOf(method, Request{To: up + (&url.URL{Path: to}).EscapedPath() + end}, map[string]string{http.MethodGet: opRedirect})
	}
	return oneOf(method, q, map[string]string{http.MethodGet: op})
}

// The suffixes of what stands beside a file.
const (
	sideMetadata  = ".metadata"
	sideSignature = ".asc"
)

// parseFile recognises S/F and what stands beside it. Which project a file belongs to follows from its name.
func parseFile(method string, segs []string) (Request, error) {
	if len(segs) != 2 || digest.NewDigestFromEncoded(digest.SHA256, segs[0]).Validate() != nil {
		return Request{}, noRoute()
	}
	q, op := Request{SHA: segs[0], File: segs[1]}, opFile
	if file, ok := strings.CutSuffix(q.File, sideMetadata); ok {
		q.File, op = file, opMetadata
	} else if file, ok := strings.CutSuffix(q.File, sideSignature); ok {
		q.File, op = file, opSignature
	}
	if !q.takeFile() {
		return Request{}, noRoute()
	}
	return oneOf(method, q, map[string]string{http.MethodGet: op})
}

func (q *Request) takeFile() bool {
	f, err := pydist.ParseFilename(q.File)
	q.Name = f.Project
	return err == nil
}

// parseProvenance recognises P/V/F/provenance.
func parseProvenance(method string, segs []string) (Request, error) {
	if len(segs) != 4 || segs[3] != "provenance" {
		return Request{}, noRoute()
	}
	q := Request{File: segs[2], Version: segs[1]}
	name, ok := projectName(segs[0])
	if !ok || !q.takeFile() || q.Name != name {
		return Request{}, noRoute()
	}
	return oneOf(method, q, map[string]string{http.MethodGet: opProvenance})
}

// parseManage recognises what is below /pypi/-/.
func parseManage(method string, segs []string) (Request, error) {
	if len(segs) == 0 {
		return Request{}, noRoute()
	}
	name, ok := projectName(segs[0])
	if !ok {
		return Request{}, noRoute()
	}
	q := Request{Name: name}
	n := len(segs)
	yanks := map[string]string{http.MethodPut: opYank, http.MethodDelete: opUnyank}
	switch {
	case n == 1:
		return oneOf(method, q, map[string]string{http.MethodDelete: opDelete})
	case n == 2 && segs[1] == "status":
		return oneOf(method, q, map[string]string{http.MethodPut: opStatus})
	case (n == 3 || n == 4 && segs[3] == "yank") && segs[1] == "files", n == 3 && segs[1] == "tombstones":
		if q.File = segs[2]; !q.takeFile() || q.Name != name {
			return Request{}, noRoute()
		}
		if segs[1] == "tombstones" {
			return oneOf(method, q, map[string]string{http.MethodDelete: opForget})
		}
		if n == 4 {
			return oneOf(method, q, yanks)
		}
		return oneOf(method, q, map[string]string{http.MethodDelete: opDeleteFile})
	case n == 2 || n == 3 && segs[2] == "yank":
		if _, err := pep440.Parse(segs[1]); err != nil {
			return Request{}, noRoute()
		}
		q.Version = segs[1]
		if n == 3 {
			return oneOf(method, q, yanks)
		}
		return oneOf(method, q, map[string]string{http.MethodDelete: opDeleteVersion})
	}
	return Request{}, noRoute()
}

// link is the inverse of parse: the path, with escapes and query.
func link(q Request) string {
	p := ""
	switch q.Op {
	case opSimple:
		p = aliases[q.Alias] + "/"
	case opProject:
		p = aliases[q.Alias] + "/" + q.Name + "/"
	case opFile, opMetadata, opSignature:
		p = root + "/files" + simple.FilePath(q.SHA, q.File) + map[string]string{opMetadata: sideMetadata, opSignature: sideSignature}[q.Op]
	case opProvenance:
		p = root + simple.ProvenancePath(q.Name, q.Version, q.File)
	case opUpload:
		p = root + "/legacy/"
	case opPost:
		p = root + "/"
	case opRPC:
		p = rootRPC
	case opJSON:
		p = root + "/" + q.Name + "/json"
	case opVersionJSON:
		p = root + "/" + q.Name + "/" + url.PathEscape(q.Version) + "/json"
	case opAudience:
		p = rootOIDC + "/audience"
	case opMint:
		p = rootOIDC + "/mint-token"
	case opDiscover:
		p = rootDiscover
		if q.Path != "" {
			p += "?" + url.Values{"discover": {q.Path}}.Encode()
		}
	default:
		p = root + "/-/" + q.Name + q.managePath()
	}
	if q.Format != "" {
		p += "?" + url.Values{"format": {q.Format}}.Encode()
	}
	return p
}

// managePath is the part behind the project's name.
func (q Request) managePath() string {
	target := "/" + url.PathEscape(q.Version)
	if q.File != "" {
		target = "/files/" + url.PathEscape(q.File)
	}
	switch q.Op {
	case opYank, opUnyank:
		return target + "/yank"
	case opDeleteFile, opDeleteVersion:
		return target
	case opStatus:
		return "/status"
	case opForget:
		return "/tombstones/" + url.PathEscape(q.File)
	}
	return ""
}
