package maven

// The repository's server: its options, and the table of everything it answers.

import (
	"cmp"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/registry"
	"larder/internal/wire"
	"larder/maven/checksum"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/maven/recent"
	"larder/store"
	"larder/upstream"
)

// What a repository takes.
const (
	AllVersions   = "all"
	ReleasesOnly  = "releases"
	SnapshotsOnly = "snapshots"
)

// Options change what the repository accepts and keeps. The zero value is right for most sites.
type Options struct {
	// MaxFile is the largest file in bytes; 0 means 16 GiB.
	MaxFile int64
	// Versions is AllVersions (the default), ReleasesOnly or SnapshotsOnly.
	Versions string
	// Redeploy lets files of a release be replaced by whoever may write. Nobody can tell then which of two files somebody
	// has built with.
	Redeploy bool
	// StrictPOMs refuses a POM that cannot be read, or that is about other coordinates, instead of noting it.
	StrictPOMs bool
	// AnyScript accepts letters of every script in coordinates.
	AnyScript bool
	// Realm is the text of the challenge, "Larder" if empty. Clients that keep passwords by realm (sbt, Ivy) compare it.
	Realm string
	// SnapshotBuilds is how many builds of a snapshot stay whatever their age, and SnapshotAge how old the others may
	// get. 0 builds: all stay.
	SnapshotBuilds int
	SnapshotAge    time.Duration
	// DropReleased removes a snapshot when its release has been there for so long; 0 keeps it.
	DropReleased time.Duration
	// KeepIncomplete is how long a deploy that was never finished is kept; 0 means 14 days.
	KeepIncomplete time.Duration
}

// WithDefaults is o with what a repository uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxFile = cmp.Or(o.MaxFile, 16<<30)
	o.Versions = cmp.Or(o.Versions, AllVersions)
	o.Realm = cmp.Or(o.Realm, "Larder")
	o.KeepIncomplete = cmp.Or(o.KeepIncomplete, 14*24*time.Hour)
	return o
}

type server struct {
	*registry.Registry[Meta]
	opt Options

	// What is computed from the store is remembered for as long as the artifact does not change.
	files   *store.Memo[string, found]
	sums512 *store.Memo[digest.Digest, string]
	docSums *store.Memo[string, checksum.Set]
	groups  *store.Memo[string, []metadata.Plugin]

	// What came and went lately is remembered for a moment.
	arrivals recent.Arrivals
	busy     recent.Busy
	sent     recent.Sent

	beside habits
}

// New returns the repository's end points.
func New(d wire.Deps, o Options) wire.Protocol {
	s := newServer(d, o)
	handler := s.endpoint().Handler(d)
	return wire.Protocol{
		Name: "maven", Prefixes: []string{root}, Handler: handler,
		Describe: s.described(handler), Jobs: []wire.Job{{Name: "maven-settle", Every: settleEvery, Run: s.settleDue}},
	}
}

func newServer(d wire.Deps, o Options) *server {
	s := &server{
		opt:     o.WithDefaults(),
		files:   store.NewMemo[string, found](d.Store, store.Maven),
		sums512: store.NewMemo[digest.Digest, string](d.Store, store.Maven),
		docSums: store.NewMemo[string, checksum.Set](d.Store, store.Maven),
		groups:  store.NewMemo[string, []metadata.Plugin](d.Store, store.Maven),
	}
	s.Registry = registry.New[Meta](d, registry.About{
		Kind: store.Maven, Type: typeArtifact, Path: root,
		Upstream: upstream.Protocol{
			Spelling:   Spelling(),
			ProbeLater: modulesOf,
			Probe: func(name string) upstream.Query {
				group, artifact := names.SplitName(name)
				return s.metadataQuery(Request{
					Group: group, Artifact: artifact, Name: name, Path: names.Dir(name, "") + metadataFile,
				})
			},
			Sample: upstream.Sample{Package: "junit:junit", File: sampleFile},
			About:  aboutCopy, Newer: newer, Listing: copyListing,
		},
	})
	return s
}

func (s *server) endpoint() wire.Endpoint[Request] {
	return wire.Endpoint[Request]{
		Kind: store.Maven, Routes: s.routes(), Grammar: grammar, Shortcut: shortcut, Target: target, Fail: s.fail,
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) {
	if q.Artifact == "" {
		return typeArtifact, ""
	}
	return typeArtifact, q.Name
}

// The addresses of the table. The metadata of an artifact and that of a group's plugins have the same path, so only its
// content says whose it is. Files of Ivy's layouts are where a path cannot be one of Maven's. A directory is a path
// with a slash at its end, or one too short to be that of a file.
const (
	pathFile        = "/{group...}/{artifact}/{version}/{file}"
	pathSum         = "/{group...}/{artifact}/{version}/{file.sum}"
	pathIvy         = "/{ivy...}"
	pathIvySum      = "/{ivy.sum...}"
	pathSnapshot    = "/{group...}/{artifact}/{snapshot}/maven-metadata.xml"
	pathSnapshotSum = "/{group...}/{artifact}/{snapshot}/maven-metadata.xml.{sum}"
	pathMetadata    = "/{artifact-or-group...}/maven-metadata.xml"
	pathMetadataSum = "/{artifact-or-group...}/maven-metadata.xml.{sum}"
	pathDirectory   = "/{directory...}"
)

// routes is everything the repository answers.
func (s *server) routes() []wire.Route[Request] {
	return []wire.Route[Request]{
		// A checksum stands before its document: links take the first row that has all there is in a request.
		wire.GET(pathSnapshotSum, "maven.snapshot", wire.Read, s.getSnapshot, "mvn, Gradle"),
		wire.GET(pathSnapshot, "maven.snapshot", wire.Read, s.getSnapshot, "mvn, Gradle"),
		wire.PUT(pathSnapshotSum, "maven.snapshot.put", wire.Create, s.putSnapshot, "mvn, Gradle"),
		wire.PUT(pathSnapshot, "maven.snapshot.put", wire.Create, s.putSnapshot, "mvn, Gradle"),
		wire.POST(pathSnapshotSum, "maven.snapshot.put", wire.Create, s.putSnapshot, "scripts"),
		wire.POST(pathSnapshot, "maven.snapshot.put", wire.Create, s.putSnapshot, "scripts"),
		wire.GET(pathMetadataSum, "maven.metadata", wire.List, s.getMetadata, "mvn, Gradle"),
		wire.GET(pathMetadata, "maven.metadata", wire.List, s.getMetadata,
			"mvn, Gradle: the versions of an artifact, the plugins of a group"),
		wire.PUT(pathMetadataSum, "maven.metadata.put", wire.Body, s.putMetadata, "mvn, Gradle"),
		wire.PUT(pathMetadata, "maven.metadata.put", wire.Body, s.putMetadata, "mvn, Gradle"),
		wire.POST(pathMetadataSum, "maven.metadata.put", wire.Body, s.putMetadata, "scripts"),
		wire.POST(pathMetadata, "maven.metadata.put", wire.Body, s.putMetadata, "scripts"),

		wire.GET(pathFile, "maven.file", wire.Read, s.getFile,
			"all; a plain -SNAPSHOT name stands for the newest build"),
		wire.GET(pathSum, "maven.sum", wire.Read, s.getSum, "mvn, Ivy, coursier, Gradle"),
		wire.PUT(pathFile, "maven.put", wire.Create, s.putFile, "all"),
		wire.POST(pathFile, "maven.put", wire.Create, s.putFile, "scripts"),
		wire.PUT(pathSum, "maven.sum.put", wire.Create, s.putSum, "all: compared, not kept"),
		wire.POST(pathSum, "maven.sum.put", wire.Create, s.putSum, "scripts"),
		wire.DELETE(pathFile, "maven.delete", wire.Delete, s.deleteFile, "scripts"),
		wire.DELETE(pathSum, "maven.delete", wire.Delete, s.deleteFile, "scripts: nothing that could be removed"),

		wire.GET(pathIvy, "maven.file", wire.Read, s.getFile, "Ivy, sbt, Gradle"),
		wire.GET(pathIvySum, "maven.sum", wire.Read, s.getSum, "Ivy, sbt"),
		wire.PUT(pathIvy, "maven.put", wire.Create, s.putFile, "Ivy, sbt, Gradle"),
		wire.POST(pathIvy, "maven.put", wire.Create, s.putFile, "scripts"),
		wire.PUT(pathIvySum, "maven.sum.put", wire.Create, s.putSum, "Ivy, sbt, Gradle"),
		wire.POST(pathIvySum, "maven.sum.put", wire.Create, s.putSum, "scripts"),
		wire.DELETE(pathIvy, "maven.delete", wire.Delete, s.deleteFile, "scripts"),
		wire.DELETE(pathIvySum, "maven.delete", wire.Delete, s.deleteFile, "scripts: nothing that could be removed"),

		wire.GET(pathDirectory, "maven.directory", wire.List, s.getDirectory,
			"browsers, coursier; JSON for whoever accepts it"),
		wire.GET("/", "maven.directory", wire.List, s.getDirectory, "browsers, coursier"),
		wire.POST(pathDirectory, "maven.commit", wire.Body, s.postDirectory, "scripts: announce what is open, now"),
		wire.POST("/", "maven.commit", wire.Body, s.postDirectory, "nobody: the root is no artifact"),
		wire.DELETE(pathDirectory, "maven.directory.delete", wire.Body, s.deleteDirectory,
			"scripts: a version, or an artifact"),
		wire.DELETE("/", "maven.directory.delete", wire.Body, s.deleteDirectory, "nobody: the root is no artifact"),
		wire.GET("/.meta/prefixes.txt.{sum}", "maven.prefixes", wire.List, s.prefixes, "mvn 3.10 and 4"),
		wire.GET("/.meta/prefixes.txt", "maven.prefixes", wire.List, s.prefixes, "mvn 3.10 and 4"),
		wire.GET("/archetype-catalog.xml.{sum}", "maven.archetypes", wire.List, s.archetypes, "mvn archetype:generate"),
		wire.GET("/archetype-catalog.xml", "maven.archetypes", wire.List, s.archetypes, "mvn archetype:generate"),
		wire.GET("/solrsearch/select", "maven.search", wire.List, s.search, "IDEs, dependency-check, scripts"),
	}
}
