// Package maven serves a Maven repository: mvn 3 and 4, Gradle, sbt, Ivy, Leiningen and coursier deploy to it and
// resolve from it. There is no server specification; the contract is what these clients do.
//
// An artifact is a store package of kind maven called group:artifact. A release is a version of it, and so is each
// build of a snapshot: its files are the version's files, called VERSION/FILE. Checksums are compared and computed,
// never kept as files. A deploy is a sequence of PUTs: its version is open until metadata that names it arrives, or,
// from clients that send none, until it looks finished and is quiet. Open versions can be fetched and are listed
// nowhere.
//
// Metadata belongs to the server. What clients send is read for the versions it announces, and what they get is
// rendered from rows: so no deploy can lose the version of another one, and a deploy costs the same however many
// versions or builds there are.
//
// # Layouts of Ivy
//
// Ivy, sbt and Gradle may also use a layout in which the organisation is one directory (com.acme/lib/1.0/lib-1.0.jar),
// or files are in folders by their type (1.0/jars/lib.jar, 1.0/ivys/ivy.xml), or sbt's, which has scala_2.12/sbt_1.0
// before the revision. A path is of such a layout when its first directory has a dot, or the file's folder is that of a
// type. Organisation and module are then group and artifact, and the revision is the version, so that rights, claims
// and rules hold for all paths of an artifact alike. A hosted file is one file at all of its paths. A copy is of its
// path alone, because an upstream may have two. There is no metadata in these layouts: the directory of a module lists
// its revisions, with those of upstreams where they count, and tells at a first publish that an upstream has it.
//
// Where there is no folder for the revision either (com.acme/lib/jars/lib-1.0.jar, com.acme/lib/ivys/ivy-1.0.xml, as in
// Ivy's manual), it is read in the file's name, which must then begin with the module's; such files are served by their
// path, and also below their revision when they are hosted. Other names in such a folder cannot be published, since
// nobody could say which revision they are of. Ivy's own default, sbt's and Gradle's layouts have the folder.
//
// # Copies
//
// The metadata of an artifact or group has what all upstreams have, and of a group also the plugins that are published
// here. Versions of an artifact that is published here are joined with those of upstreams only where the operator says
// so (shared); of a version that is here, announced or not, no file is an upstream's. A snapshot's metadata is that of
// the upstream with the newest build. Files are asked for by their path, whatever metadata says, so what was shown once
// can be fetched as long as an upstream has it, and is kept from then on. A copy is compared with the checksum in the
// answer's header, else with the strongest beside the file.
//
// # Wire table
//
// Paths are below /maven. HEAD is answered wherever GET is. {group...} is a group with slashes, {file.sum} a file's
// name with the suffix of a checksum, {sum} such a suffix without its dot: md5, sha1, sha256 or sha512. {snapshot} is a
// version that ends in SNAPSHOT. {artifact-or-group...} is the path of an artifact and, when the artifact is read as
// the last part of a group, that of a group's plugins. {directory...} is any path with a slash at its end, or one of
// less than four segments. {ivy...} is the path of a file in a layout of Ivy, {ivy.sum...} that of its checksum.
//
//	GET     /{group...}/{artifact}/{snapshot}/maven-metadata.xml.{sum}  maven.snapshot          read
//	GET     /{group...}/{artifact}/{snapshot}/maven-metadata.xml        maven.snapshot          read
//	PUT     /{group...}/{artifact}/{snapshot}/maven-metadata.xml.{sum}  maven.snapshot.put      create
//	PUT     /{group...}/{artifact}/{snapshot}/maven-metadata.xml        maven.snapshot.put      create
//	POST    /{group...}/{artifact}/{snapshot}/maven-metadata.xml.{sum}  maven.snapshot.put      create
//	POST    /{group...}/{artifact}/{snapshot}/maven-metadata.xml        maven.snapshot.put      create
//	GET     /{artifact-or-group...}/maven-metadata.xml.{sum}            maven.metadata          list
//	GET     /{artifact-or-group...}/maven-metadata.xml                  maven.metadata          list
//	PUT     /{artifact-or-group...}/maven-metadata.xml.{sum}            maven.metadata.put      body
//	PUT     /{artifact-or-group...}/maven-metadata.xml                  maven.metadata.put      body
//	POST    /{artifact-or-group...}/maven-metadata.xml.{sum}            maven.metadata.put      body
//	POST    /{artifact-or-group...}/maven-metadata.xml                  maven.metadata.put      body
//	GET     /{group...}/{artifact}/{version}/{file}                     maven.file              read
//	GET     /{group...}/{artifact}/{version}/{file.sum}                 maven.sum               read
//	PUT     /{group...}/{artifact}/{version}/{file}                     maven.put               create
//	POST    /{group...}/{artifact}/{version}/{file}                     maven.put               create
//	PUT     /{group...}/{artifact}/{version}/{file.sum}                 maven.sum.put           create
//	POST    /{group...}/{artifact}/{version}/{file.sum}                 maven.sum.put           create
//	DELETE  /{group...}/{artifact}/{version}/{file}                     maven.delete            delete
//	DELETE  /{group...}/{artifact}/{version}/{file.sum}                 maven.delete            delete
//	GET     /{ivy...}                                                   maven.file              read
//	GET     /{ivy.sum...}                                               maven.sum               read
//	PUT     /{ivy...}                                                   maven.put               create
//	POST    /{ivy...}                                                   maven.put               create
//	PUT     /{ivy.sum...}                                               maven.sum.put           create
//	POST    /{ivy.sum...}                                               maven.sum.put           create
//	DELETE  /{ivy...}                                                   maven.delete            delete
//	DELETE  /{ivy.sum...}                                               maven.delete            delete
//	GET     /{directory...}                                             maven.directory         list
//	GET     /                                                           maven.directory         list
//	POST    /{directory...}                                             maven.commit            body
//	POST    /                                                           maven.commit            body
//	DELETE  /{directory...}                                             maven.directory.delete  body
//	DELETE  /                                                           maven.directory.delete  body
//	GET     /.meta/prefixes.txt.{sum}                                   maven.prefixes          list
//	GET     /.meta/prefixes.txt                                         maven.prefixes          list
//	GET     /archetype-catalog.xml.{sum}                                maven.archetypes        list
//	GET     /archetype-catalog.xml                                      maven.archetypes        list
//	GET     /solrsearch/select                                          maven.search            list
//
// # Rights
//
// Names in scopes are group:artifact (maven:artifact:com.acme:lib:write). Reading needs read, deploying create,
// replacing a file that may be replaced write, deleting delete. Metadata of an artifact and of a group share one path,
// so who may see and send which of them is decided by what is in it. A client without credentials is asked for them
// wherever they might help, because these clients send none until they are asked.
//
// # Where is what
//
//	maven.go    options, routes    routes.go   their fields
//	model.go    records            index.go    rows beside the records
//	publish.go  files come in      sums.go     checksums           commit.go   versions are announced
//	manage.go   files go           serve.go    reading             proxy.go    copies of upstreams
//	beside.go   copies' checksums  union.go    joined metadata     revisions.go directories of upstreams
//	spelling.go names in rules
//	browse.go   directories        facts.go    one version, whole  search.go   search
//	errors.go   every error body   shortcut.go the paths nearly every request has
//
//	names/      coordinates, layouts, names of files   version/   the order of versions
//	archive/    jars, Gradle's modules, signatures     pom/       POMs
//	metadata/   maven-metadata.xml, both ways          markup/    strangers' XML
//	checksum/   four sums                              recent/    what is remembered for a moment
//	search/     what is found by what                  browse/    what pages show
package maven
