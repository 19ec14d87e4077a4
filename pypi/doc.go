// Package pypi serves a Python package index: twine, uv, flit, hatch, poetry and pdm upload to it, pip of every
// generation, uv, poetry and pdm install from it.
//
// A project is a store package of kind pypi under its normalised name, a release is a version, called as its first file
// spells it, and a distribution (wheel or source archive) is a file of its release. What the simple API shows of a file
// is a row, derived from the release's record and kept in the order of versions; a page is the rows, copied. So an
// upload costs the same however many files there are, and a page is put together once for each change and form.
// METADATA, signature and attestations of a file are blobs beside it.
//
// Wheels of upstreams have METADATA here whether the upstream has it beside them or not (package sidecar), where making
// it costs little: resolvers are spared the wheels they do not choose. A file of an upstream is what its page lists,
// under whatever name and with whatever sum. One without SHA-256, or whose name does not lead back to the project, has
// the address below /pypi/packages; without any sum the bytes that came first stay.
//
// # Wire table
//
// Method, path, operation and the right it needs. The table is made from the routes in pypi.go, which name the clients.
// {index...} is a place of the simple API: /simple, /pypi/simple and, for hatch, /+simple below each address that it
// uploads to. {project} is normalised, {name} a project in any spelling. HEAD is answered wherever GET is; a slash at
// the end counts only where a row has one.
//
//	GET     /{index...}/{project}/                              pypi.project         read
//	GET     /pypi/files/{sha256}/{file}.metadata                pypi.metadata        read
//	GET     /pypi/files/{sha256}/{file}.asc                     pypi.signature       read
//	GET     /pypi/files/{sha256}/{file}                         pypi.file            read
//	GET     /{index...}/                                        pypi.simple          list
//	POST    /pypi/legacy                                        pypi.upload          body
//	POST    /pypi/simple                                        pypi.upload          body
//	POST    /simple                                             pypi.upload          body
//	POST    /pypi                                               pypi.post            body
//	POST    /RPC2                                               pypi.rpc             list
//	GET     /pypi/{project}/json                                pypi.json            read
//	GET     /pypi/{project}/{version}/json                      pypi.json.version    read
//	GET     /pypi/{name}/json                                   pypi.redirect        open
//	GET     /pypi/{name}/{version}/json                         pypi.redirect        open
//	GET     /{index...}                                         pypi.redirect        open
//	GET     /{index...}/{name}                                  pypi.redirect        open
//	GET     /pypi/integrity/{name}/{version}/{file}/provenance  pypi.provenance      read
//	GET     /pypi/packages/{name}/{listed}.metadata             pypi.metadata        read
//	GET     /pypi/packages/{name}/{listed}                      pypi.file            read
//	GET     /_/oidc/audience                                    pypi.oidc.audience   open
//	POST    /_/oidc/mint-token                                  pypi.oidc.mint       login
//	GET     /.well-known/pytp                                   pypi.oidc.discover   open
//	PUT     /pypi/-/{name}/{release}/yank                       pypi.yank            write
//	PUT     /pypi/-/{name}/files/{file}/yank                    pypi.yank            write
//	DELETE  /pypi/-/{name}/{release}/yank                       pypi.unyank          write
//	DELETE  /pypi/-/{name}/files/{file}/yank                    pypi.unyank          write
//	DELETE  /pypi/-/{name}/files/{file}                         pypi.delete.file     delete
//	DELETE  /pypi/-/{name}/{release}                            pypi.delete.version  delete
//	DELETE  /pypi/-/{name}                                      pypi.delete          delete
//	PUT     /pypi/-/{name}/status                               pypi.status          write
//	DELETE  /pypi/-/{name}/tombstones/{file}                    pypi.forget          admin
//
// # Rights
//
// Reading needs read, uploading create, yanking and status write, deleting delete; quarantine and tombstones are an
// administrator's. The scope's type is package: pypi:package:acme-*:create. An upload names its project in the body, so
// its right is asked when that is known; a client without credentials is refused before the file is read.
//
// # Where is what
//
//	pypi.go      options, routes  routes.go  their fields       negotiate.go  the form of an answer
//	model.go     what is stored   index.go   its rows           errors.go     every error body
//	publish.go   uploading        form.go    an upload's form   manage.go     changing
//	serve.go     reading          root.go    the list of all    json.go       the JSON API
//	proxy.go     upstreams        rpc.go     XML-RPC            trusted.go    trusted publishing
//	identify.go  what a file is   spelling.go  names and versions for rules
//	remotejson.go  the JSON API of upstreams' projects
//
//	simple   pages of the simple API: how ours are written, how those of other indexes are read
//	sidecar  METADATA of an upstream's wheel
//
// Names, versions and archives are read by internal/pydist and internal/pep440.
package pypi
