package oci

// The registry's server: its options, and the table of everything it answers.

import (
	"cmp"
	"context"
	"net/http"

	"larder/auth"
	"larder/internal/registry"
	"larder/internal/route"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Options change what the registry accepts. The zero value is right for most sites.
type Options struct {
	// MaxManifest is the largest manifest in bytes; 0 means 4 MiB, the least the specification asks for.
	MaxManifest int64
	// StrictIndexes refuses an index whose children are not in the repository. Partial copies and mirrors push such
	// indexes all the time.
	StrictIndexes bool
	// SparseImages accepts image manifests whose blobs are not in the repository; they belong to the manifest as soon as
	// they come in. Without it a push that lost a layer is an error at once, not for whoever pulls.
	SparseImages bool
	// NoDelete answers every DELETE of a tag, manifest or blob with 405.
	NoDelete bool
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxManifest = cmp.Or(o.MaxManifest, 4<<20)
	return o
}

// The roots. /oci is an alias of /v2; /v1 is what docker search and podman search ask first.
const (
	rootV2    = "/v2"
	rootAlias = "/oci"
	rootV1    = "/v1"
)

type server struct {
	*registry.Registry[Meta]
	opt       Options
	manifests *store.Memo[string, found] // by tag or digest
	jwt       issuer                     // nil when the provider issues no tokens: Basic only
	table     *route.Table[Request]      // makes the addresses in answers
}

// New returns the registry's end points: /v2, its alias /oci, and the two of /v1 that searches begin with.
func New(d wire.Deps, o Options) wire.Protocol {
	s := newServer(d, o)
	handler := s.endpoint().Handler(d)
	return wire.Protocol{
		Name: "oci", Prefixes: []string{rootV2, rootAlias, rootV1}, Handler: middleware(handler),
		Describe: s.described(handler),
	}
}

func newServer(d wire.Deps, o Options) *server {
	s := &server{opt: o.WithDefaults(), manifests: store.NewMemo[string, found](d.Store, store.OCI)}
	s.Registry = registry.New[Meta](d, registry.About{
		Kind: store.OCI, Type: typeRepository, Private: true,
		Upstream: upstream.Protocol{
			Spelling: Spelling(), Names: s.spellings, Probe: probe, About: aboutCopy,
			Sample: upstream.Sample{Package: "hello-world", Query: sampleTags, File: sampleBlob},
		},
	})
	s.jwt, _ = d.Auth.(issuer)
	s.table = s.endpoint().Table()
	return s
}

func (s *server) endpoint() wire.Endpoint[Request] {
	return wire.Endpoint[Request]{
		Kind: store.OCI, Routes: s.routes(), Grammar: grammar, Shortcut: shortcut, Resolve: s.resolve, Target: target,
		MayList: mayList, Fail: s.fail,
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) {
	if q.Name == "" {
		return "registry", "catalog"
	}
	return typeRepository, q.Name
}

// routes is everything the registry answers. The ids are those of distribution-spec; "docker" marks what only Docker's
// API describes, "#606" and "#611" proposals to the specification, "ours" what nobody else has.
func (s *server) routes() []wire.Route[Request] {
	return []wire.Route[Request]{
		wire.GET("/{root}/", "oci.ping", wire.Open, s.ping, "docker, podman, skopeo, crane: log in after the 401 (end-1)"),
		wire.GET("/{root}", "oci.ping", wire.Open, s.ping, "clients that leave the slash out (end-1)"),
		wire.GET("/{root}/token", "oci.token", wire.Login, s.token, "all; Basic or none (docker)"),
		wire.POST("/{root}/token", "oci.grant", wire.Body, s.grant,
			"containerd, BuildKit, docker with a refresh token (docker)"),
		wire.GET("/{root}/_catalog", "oci.catalog", wire.List, s.catalog, "crane, oras, regctl, podman search (docker)"),
		wire.GET("/{root}/{prefix...}/_oci/repositories", "oci.repositories", wire.List, s.repositories,
			"user interfaces: those below a prefix (#611)"),
		wire.GET("/{root}/_oci/repositories", "oci.repositories", wire.List, s.repositories, "user interfaces (#611)"),
		wire.GET("/{root}/_oci/ext/discover", "oci.discover", wire.Open, s.discover, "regctl, oras (extensions/_oci)"),
		wire.GET("/v1/_ping", "oci.v1.ping", wire.Open, s.v1Ping, "docker search (docker)"),
		wire.GET("/v1/search", "oci.v1.search", wire.List, s.search, "docker search, podman search (docker)"),
		wire.GET("/{root}/{name...}/manifests/{reference}", "oci.manifest.get", wire.Read, s.getManifest,
			"all; docker repeats a failed HEAD as GET (end-3)"),
		wire.PUT("/{root}/{name...}/manifests/{reference}", "oci.manifest.put", wire.Create, s.putManifest,
			"all; oras first without credentials (end-7a, end-7b)"),
		wire.DELETE("/{root}/{name...}/manifests/{reference}", "oci.manifest.delete", wire.Delete, s.deleteManifest,
			"skopeo by digest, regctl and crane also by tag (end-9)"),
		wire.GET("/{root}/{name...}/blobs/{digest}", "oci.blob.get", wire.Read, s.getBlob,
			"all; podman with several ranges (end-2)"),
		wire.DELETE("/{root}/{name...}/blobs/{digest}", "oci.blob.delete", wire.Delete, s.deleteBlob,
			"regctl, oras (end-10)"),
		wire.POST("/{root}/{name...}/blobs/uploads/", "oci.upload.start", wire.Create, s.startUpload,
			"all; regctl mounts without from (end-4a, end-4b, end-4c, end-11)"),
		wire.POST("/{root}/{name...}/blobs/uploads", "oci.upload.start", wire.Create, s.startUpload,
			"clients that leave the slash out (end-4a)"),
		wire.GET("/{root}/{name...}/blobs/uploads/{upload}", "oci.upload.status", wire.Create, s.uploadStatus,
			"regctl after a 416 (end-13)"),
		wire.PATCH("/{root}/{name...}/blobs/uploads/{upload}", "oci.upload.patch", wire.Create, s.patchUpload,
			"docker, podman, crane streamed; regctl in chunks (end-5)"),
		wire.PUT("/{root}/{name...}/blobs/uploads/{upload}", "oci.upload.commit", wire.Create, s.commitUpload,
			"all; containerd and oras with the whole blob (end-6)"),
		wire.DELETE("/{root}/{name...}/blobs/uploads/{upload}", "oci.upload.cancel", wire.Create, s.cancelUpload,
			"regctl, oras (end-14)"),
		wire.GET("/{root}/{name...}/tags/list", "oci.tags", wire.Read, s.tags,
			"skopeo, crane, oras, regctl, helm (end-8a, end-8b)"),
		wire.GET("/{root}/{name...}/referrers/{subject}", "oci.referrers", wire.Read, s.referrers,
			"cosign, notation, oras, regctl, containerd (end-12a, end-12b)"),
		wire.GET("/{root}/{name...}/_oci/ext/discover", "oci.repo.discover", wire.Read, s.discoverRepository,
			"regctl, oras (extensions/_oci)"),
		wire.GET("/{root}/{name...}/_oci/tag-history/{tag}", "oci.tag.history", wire.Read, s.history,
			"user interfaces (#606)"),
		wire.POST("/{root}/{name...}/_oci/tag-history/{tag}", "oci.tag.restore", wire.Create, s.restore,
			"curl: bring back an overwritten or deleted tag (ours)"),
	}
}

// middleware sets the header that every answer has, and drops Basic credentials without user and password: docker
// search and anonymous clients send them when they have none.
func middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		versionHeader(w.Header())
		if v := r.Header.Get("Authorization"); len(v) <= len("Basic Og==") && v != "" {
			if c, given := wire.CredentialsFrom(r); given && c == (auth.Credentials{}) {
				r = r.Clone(r.Context())
				r.Header.Del("Authorization")
			}
		}
		next.ServeHTTP(w, r)
	})
}

// mayList allows lists of repositories with any credentials but a token that was issued for something else. Without any
// the client is asked for some: oras and regctl would show the public repositories as if they were all. Searches are
// allowed to everybody, since their clients send credentials only if they have them for this host.
func mayList(ctx context.Context, op string) error {
	id := wire.IdentityFrom(ctx)
	switch {
	case op == "oci.v1.search":
		return nil
	case id.Anonymous && !id.JWT:
		return auth.ErrNoCredentials
	case !id.JWT || id.Limits[len(id.Limits)-1].Allow(
		auth.Access{Kind: store.OCI, Type: "registry", Name: "catalog", Action: auth.Read}):
		return nil
	}
	return auth.ErrScope
}
