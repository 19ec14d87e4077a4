// Package oci serves the OCI Distribution API: images, charts and other artifacts for docker, containerd, podman,
// skopeo, crane, oras, regctl, helm and cosign.
//
// A repository is a store package of kind oci, a manifest is a version called by the digest the client pushed it under,
// and its bytes are a blob like its layers. A blob in no manifest yet is a loose hold. Manifests, tags, their history
// and the referrers rows change in one transaction.
//
// # Wire table
//
// {root} is v2 or oci. HEAD is answered wherever GET is. Who asks for what, and where it is specified, stands with the
// routes in oci.go.
//
//	GET     /{root}/                                  oci.ping             open
//	GET     /{root}                                   oci.ping             open
//	GET     /{root}/token                             oci.token            login
//	POST    /{root}/token                             oci.grant            body
//	GET     /{root}/_catalog                          oci.catalog          list
//	GET     /{root}/{prefix...}/_oci/repositories     oci.repositories     list
//	GET     /{root}/_oci/repositories                 oci.repositories     list
//	GET     /{root}/_oci/ext/discover                 oci.discover         open
//	GET     /v1/_ping                                 oci.v1.ping          open
//	GET     /v1/search                                oci.v1.search        list
//	GET     /{root}/{name...}/manifests/{reference}   oci.manifest.get     read
//	PUT     /{root}/{name...}/manifests/{reference}   oci.manifest.put     create
//	DELETE  /{root}/{name...}/manifests/{reference}   oci.manifest.delete  delete
//	GET     /{root}/{name...}/blobs/{digest}          oci.blob.get         read
//	DELETE  /{root}/{name...}/blobs/{digest}          oci.blob.delete      delete
//	POST    /{root}/{name...}/blobs/uploads/          oci.upload.start     create
//	POST    /{root}/{name...}/blobs/uploads           oci.upload.start     create
//	GET     /{root}/{name...}/blobs/uploads/{upload}  oci.upload.status    create
//	PATCH   /{root}/{name...}/blobs/uploads/{upload}  oci.upload.patch     create
//	PUT     /{root}/{name...}/blobs/uploads/{upload}  oci.upload.commit    create
//	DELETE  /{root}/{name...}/blobs/uploads/{upload}  oci.upload.cancel    create
//	GET     /{root}/{name...}/tags/list               oci.tags             read
//	GET     /{root}/{name...}/referrers/{subject}     oci.referrers        read
//	GET     /{root}/{name...}/_oci/ext/discover       oci.repo.discover    read
//	GET     /{root}/{name...}/_oci/tag-history/{tag}  oci.tag.history      read
//	POST    /{root}/{name...}/_oci/tag-history/{tag}  oci.tag.restore      create
//
// # Rights
//
// Pulling needs read, pushing create, moving an existing tag write, deleting delete. A request without credentials that
// may not see a repository, or asks for an unknown one, gets the same 401; with credentials both are the same 404, and
// for lists that are never a 404 the same empty list.
package oci
