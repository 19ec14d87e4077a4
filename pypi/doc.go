// Package pypi serves a Python package index: twine, uv, flit, hatch, poetry and pdm upload to it, pip of every
// generation, uv, poetry and pdm install from it.
//
// A project is a store package of kind pypi under its normalised name, a release is a version, called as its first file
// spells it, and a distribution (wheel or source archive) is a file of its release. What the simple API shows of a file
// is a row, derived from the release's record and kept in the order of versions; a page is the rows, copied. So an upload
// costs the same however many files there are, and a page is put together once for each change and form. METADATA,
// signature and attestations of a file are blobs beside it. Wheels of upstreams have METADATA here whether the upstream has
// it beside them or not (package sidecar): resolvers are spared the wheels they do not choose.
//
// # Wire table
//
// P is a project, V a version, F a file's name, S its sha256. HEAD is answered wherever GET is. Paths below /simple are
// the same below /pypi/simple and, for hatch, below UPLOAD/+simple. "Simple" is the simple repository API (PEP 503, 592,
// 629, 658, 691, 700, 714, 740, 792), "legacy" the public index's documentation, "ours" what nobody else has.
//
//	GET     /simple/                          pypi.simple          Simple       mirrors, uv, poetry search, browsers
//	GET     /simple/P/                        pypi.project         Simple       every installer
//	GET     /simple, /simple/P                pypi.redirect        Simple       who forgets the slash or the normalisation
//	GET     /pypi/files/S/F                   pypi.file            Simple       every installer, lockfiles
//	GET     /pypi/files/S/F.metadata          pypi.metadata        PEP 658      pip from 23.2, uv, poetry 2, pdm
//	GET     /pypi/files/S/F.asc               pypi.signature       PEP 503      people
//	GET     /pypi/integrity/P/V/F/provenance  pypi.provenance      PEP 740      pypi-attestations
//	POST    /pypi/legacy/                     pypi.upload          legacy       twine, uv, flit, hatch, poetry, pdm; also /simple/
//	POST    /pypi/                            pypi.post            legacy       upload, or XML-RPC by its media type
//	POST    /RPC2                             pypi.rpc             XML-RPC      pip search, mirrors
//	GET     /pypi/P/json                      pypi.json            legacy       renovate, pip-audit, scripts
//	GET     /pypi/P/V/json                    pypi.json.version    legacy       the same
//	GET     /_/oidc/audience                  pypi.oidc.audience   legacy       uv, pdm, CI actions
//	POST    /_/oidc/mint-token                pypi.oidc.mint       legacy       the same
//	GET     /.well-known/pytp                 pypi.oidc.discover   PEP 807      trusted publishing on any index
//	PUT     /pypi/-/P/V/yank                  pypi.yank            PEP 592      ours: curl; also /pypi/-/P/files/F/yank
//	DELETE  /pypi/-/P/V/yank                  pypi.unyank          PEP 592      ours; also /pypi/-/P/files/F/yank
//	DELETE  /pypi/-/P/files/F                 pypi.delete.file     -            ours
//	DELETE  /pypi/-/P/V                       pypi.delete.version  -            ours
//	DELETE  /pypi/-/P                         pypi.delete          -            ours
//	PUT     /pypi/-/P/status                  pypi.status          PEP 792      ours
//	DELETE  /pypi/-/P/tombstones/F            pypi.forget          -            ours: administrators let a deleted file's name be used again
//
// # Rights
//
// Reading needs read, uploading create, yanking and status write, deleting delete; quarantine and tombstones are an
// administrator's. The scope's type is package: pypi:package:acme-*:create. An upload names its project in the body, so
// its right is judged when that is known, and at once for who has no credentials at all.
//
// # Where is what
//
//	routes.go  paths        model.go    what is stored     form.go     the upload's body   publish.go  a file comes in
//	index.go   documents    root.go     the list of all    serve.go    reading             json.go     JSON API
//	rpc.go     XML-RPC      manage.go   changing           attest.go   attestations        trusted.go  trusted publishing
//	errors.go  every error body
//
// Versions are internal/pep440's business, reading wheels and source archives internal/pydist's, the long list of all
// projects internal/roll's.
package pypi
