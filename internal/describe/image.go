package describe

// What pages show of the manifests of a container registry.

import (
	"context"
	"time"
)

// Images is Kind for a container registry: its versions are manifests, by their digests.
type Images interface {
	Kind
	// Manifest describes a manifest of a repository, with the image in it. Of an index that is the one for platform, or
	// the first one. All that it says is the publisher's word.
	Manifest(ctx context.Context, name, digest, platform string) (Manifest, error)
}

// Manifest is what a manifest says.
type Manifest struct {
	Version
	// Platforms are those of an index. Attestations, which stand beside them in an index, are Referrers.
	Platforms []Platform
	// Pull is what all platforms together take, each blob once; 0 for what is no index.
	Pull int64
	// Image is the one that is shown; nil when it is not here.
	Image *Image
	// Referrers are signatures and other things about the manifest or its images; more when there are others.
	Referrers []Referrer
	More      bool
	// Body is the manifest itself.
	Body []byte
}

// Platform is an image of an index.
type Platform struct {
	Name, Digest string
	// Pull is what a client fetches for it: manifest, configuration and layers, each blob once. Here: it is here.
	Pull int64
	Here bool
	// Shown: it is Manifest.Image.
	Shown bool
}

// Image is an image, or another artifact that has layers.
type Image struct {
	Digest   string
	Platform string
	Created  time.Time
	// Pull is as in Platform.
	Pull int64
	// Layers is how many there are, Steps how they were made, the base first.
	Layers int
	Steps  []Step
	// Config and Labels are what the configuration says.
	Config, Labels []Fact
}

// Step is a layer, or a change to the configuration alone.
type Step struct {
	// Layer counts from 1; 0 for a step that made none.
	Layer  int
	Digest string
	Size   int64
	// Type is the media type of what is no layer of a file system.
	Type string
	// Command is what made it, or the file that it is.
	Command string
}

// Referrer is a manifest that is about another one. Nothing of it is checked here.
type Referrer struct {
	// What it is: "Signature", "SBOM", "Attestation", "Readme", or "Artifact".
	What string
	// Type is the type that it says it has, and Note where that is known from when it is no referrer itself.
	Type, Note string
	// Of is the platform that it is about, "" for the manifest.
	Of       string
	Digest   string
	Size     int64
	Attached time.Time
}
