package auth

// The first administrator of a new data folder.

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"

	"larder/store"
)

// AdminName is the user made at the first start.
const AdminName = "admin"

// Bootstrap makes the administrator of a folder that never had a user, with the given password or, if that is empty, a
// random one, which it returns. In any other folder it does nothing: removing the last user does not bring admin back.
func (l *Local) Bootstrap(ctx context.Context, password string) (generated string, err error) {
	fresh := false
	isFresh := func(tx *store.Tx) error {
		fresh = lastGeneration(tx.Table(usersTable)) == 0
		return nil
	}
	if err := l.store.View(ctx, isFresh); err != nil || !fresh {
		return "", err
	}
	if password == "" {
		password = randomPassword()
		generated = password
	}
	row, err := l.newRow(User{Name: AdminName, Password: password, Admin: true})
	if err != nil {
		return "", fmt.Errorf("password of user %s: %w", AdminName, err)
	}
	err = l.store.Update(ctx, func(tx *store.Tx) error {
		if err := isFresh(tx); err != nil || !fresh {
			return err
		}
		return l.insert(tx, AdminName, row)
	})
	if err != nil || !fresh {
		return "", err
	}
	return generated, nil
}

// randomPassword has 128 bits in characters that no shell or URL changes.
func randomPassword() string {
	var bits [16]byte
	rand.Read(bits[:])
	return base62(new(big.Int).SetBytes(bits[:]), 22)
}
