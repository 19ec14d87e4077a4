// Package oci serves the OCI Distribution API: images, charts and other artifacts for docker, containerd, podman, skopeo,
// crane, oras, regctl, helm and cosign.
//
// A repository is a store package of kind oci, a manifest is a version called by the digest the client pushed it under,
// and its bytes are a blob like its layers. A blob in no manifest yet is a loose hold. Manifests, tags, their history and
// the referrers rows change in one transaction.
//
// # Wire table
//
// N is a repository, R a tag or digest, D a digest, U an upload session, T a tag. HEAD is answered wherever GET is. The
// same paths exist below /oci instead of /v2. The ids are those of distribution-spec; "docker" marks what only Docker's
// API describes, "#606" and "#611" proposals to the specification, "ours" what nobody else has.
//
//	GET     /v2/                          oci.ping             end-1              docker, podman, skopeo, crane: log in after the 401
//	GET     /v2/token                     oci.token            docker             all; Basic or none
//	POST    /v2/token                     oci.grant            docker             containerd, BuildKit, docker with a refresh token
//	GET     /v2/_catalog                  oci.catalog          docker             crane, oras, regctl, podman search
//	GET     /v2/_oci/repositories         oci.repositories     #611               user interfaces
//	GET     /v2/N/_oci/repositories       oci.repositories     #611               the same below a prefix
//	GET     /v2/_oci/ext/discover         oci.discover         extensions/_oci    regctl, oras
//	GET     /v2/N/_oci/ext/discover       oci.repo.discover    extensions/_oci    regctl, oras
//	GET     /v1/_ping                     oci.v1.ping          docker             docker search
//	GET     /v1/search                    oci.v1.search        docker             docker search, podman search
//	GET     /v2/N/manifests/R             oci.manifest.get     end-3              all; docker repeats a failed HEAD as GET
//	PUT     /v2/N/manifests/R             oci.manifest.put     end-7a end-7b      all; oras first without credentials
//	DELETE  /v2/N/manifests/R             oci.manifest.delete  end-9              skopeo by digest, regctl and crane also by tag
//	GET     /v2/N/blobs/D                 oci.blob.get         end-2              all; podman with several ranges
//	DELETE  /v2/N/blobs/D                 oci.blob.delete      end-10             regctl, oras
//	POST    /v2/N/blobs/uploads/          oci.upload.start     end-4a end-4b end-4c end-11  all; regctl mounts without from
//	GET     /v2/N/blobs/uploads/U         oci.upload.status    end-13             regctl after a 416
//	PATCH   /v2/N/blobs/uploads/U         oci.upload.patch     end-5              docker, podman, crane streamed; regctl in chunks
//	PUT     /v2/N/blobs/uploads/U         oci.upload.commit    end-6              all; containerd and oras with the whole blob
//	DELETE  /v2/N/blobs/uploads/U         oci.upload.cancel    end-14             regctl, oras
//	GET     /v2/N/tags/list               oci.tags             end-8a end-8b      skopeo, crane, oras, regctl, helm
//	GET     /v2/N/referrers/D             oci.referrers        end-12a end-12b    cosign, notation, oras, regctl, containerd
//	GET     /v2/N/_oci/tag-history/T      oci.tag.history      #606               user interfaces
//	POST    /v2/N/_oci/tag-history/T      oci.tag.restore      ours               curl: bring back an overwritten or deleted tag
//
// # Rights
//
// Pulling needs read, pushing create, moving an existing tag write, deleting delete. A request without credentials that
// may not see a repository, or asks for an unknown one, gets the same 401; with credentials both are the same 404, and
// for lists that are never a 404 the same empty list.
package oci
