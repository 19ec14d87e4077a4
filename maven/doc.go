// Package maven serves a Maven repository: mvn 3 and 4, Gradle, sbt, Ivy, Leiningen and coursier deploy to it and resolve
// from it. There is no server specification; the contract is what these clients do. Section numbers (A1 …) are those of
// the study this package was written from.
//
// An artifact is a store package of kind maven called group:artifact. A release is a version of it, and so is each build
// of a snapshot: its files are the version's files, called VERSION/FILE. Checksums are compared and computed, never kept
// as files. A deploy is a sequence of PUTs: its version is open until metadata that names it arrives, or, from clients
// that send none, until it looks finished and is quiet. Open versions can be fetched and are listed nowhere.
//
// Metadata belongs to the server. What clients send is read for the versions it announces, and what they get is rendered
// from rows: so no deploy can lose the version of another one, and a deploy costs the same however many versions or builds
// there are.
//
// # Wire table
//
// G is a group with slashes, A an artifact, V a version, F a file, D a directory, S a checksum's suffix (.md5, .sha1,
// .sha256, .sha512). HEAD is answered wherever GET is, POST wherever PUT is. Paths are below /maven.
//
//	GET     /G/A/V/F                          maven.file              A2  all; plain -SNAPSHOT names stand for the newest build
//	GET     /G/A/V/F.S                        maven.sum               A5  mvn, Ivy, coursier, Gradle
//	PUT     /G/A/V/F                          maven.put               A2  all
//	PUT     /G/A/V/F.S                        maven.sum.put           A5  all: compared, not kept
//	DELETE  /G/A/V/F                          maven.delete            A2  scripts
//	GET     /G/A/V-SNAPSHOT/maven-metadata.xml  maven.snapshot        A4  mvn, Gradle; also .S
//	PUT     /G/A/V-SNAPSHOT/maven-metadata.xml  maven.snapshot.put    A4  mvn, Gradle; also .S
//	GET     /G/A/maven-metadata.xml           maven.metadata          A4  mvn, Gradle: versions; plugins of the group G.A; also .S
//	PUT     /G/A/maven-metadata.xml           maven.metadata.put      A4  mvn, Gradle; also .S
//	GET     /D/                               maven.directory         A9  browsers, coursier; JSON for who accepts it
//	POST    /D/                               maven.commit            A4  scripts: announce what is open, now
//	DELETE  /D/                               maven.directory.delete  A2  scripts: a version, or an artifact
//	GET     /.meta/prefixes.txt               maven.prefixes          A7  mvn 3.10 and 4; also .S
//	GET     /archetype-catalog.xml            maven.archetypes        A9  mvn archetype:generate; also .S
//	GET     /solrsearch/select                maven.search            A9  IDEs, dependency-check, scripts
//
// # Rights
//
// Names in scopes are group:artifact (maven:artifact:com.acme:lib:write). Reading needs read, deploying create, replacing
// a file that may be replaced write, deleting delete. Metadata of an artifact and of a group share one path, so who may
// see and send which of them is decided by what is in it. Who has no credentials is asked for them wherever they might
// help: these clients send none before.
//
// # Where is what
//
//	routes.go   requests           model.go    records             index.go    rows beside the records
//	publish.go  files come in      sums.go     checksums           commit.go   versions are announced
//	manage.go   files go           serve.go    reading             proxy.go    copies of upstreams
//	browse.go   directories        facts.go    one version, whole  search.go   search
//	errors.go   every error body
//
//	layout/     coordinates, names and types of files order/     the order of versions
//	markup/     strangers' XML                        pom/       POMs
//	inside/     jars, Gradle's modules, signatures    metadata/  maven-metadata.xml, both ways
//	checksum/   four sums                             recent/    what is remembered for a moment
//	search/     what is found by what                 browse/    what pages show
package maven
