------------------------------- MODULE Move -------------------------------
(***************************************************************************)
(* How two uploaders move the files of one name: claim, lock, conditional  *)
(* writes, receipt and removal. docs/model/README.md says which action is  *)
(* which function. A content is 10 * drop + revision: a larger is newer.   *)
(***************************************************************************)
EXTENDS Integers, FiniteSets

CONSTANTS
  Uploaders,     \* a set of names
  MaxContents,   \* contents that the producer makes in all
  MaxCrashes,    \* deaths of uploaders in all
  MaxExpiries,   \* locks that run out under a run that lives
  IfMatch,       \* FALSE: a write over a blob has no condition
  LookBefore,    \* FALSE: the source is removed without a look
  CheckLock,     \* FALSE: nobody asks whose the lock is
  CountOnce,     \* FALSE: a removal is counted without a receipt
  EndOwnReceipt  \* FALSE: a run ends its receipt although another took its source

VARIABLES
  drop,      \* content in the drop folder; 0: none
  claimed,   \* content in the session's folder; 0: none
  aside,     \* content under the dot name of each uploader's removal; 0: none
  made,      \* the contents made so far
  replaced,  \* contents that their producer overwrote in place
  blob,      \* content in the store; 0: none
  etag,      \* grows with each write of the blob
  stored,    \* every content that the blob ever held
  lock,      \* who holds the job's lock; "none" where nobody does
  pc,        \* where each uploader's run stands
  staged,    \* the content that each run staged
  read,      \* the ETag that each run read
  receipts,  \* claims that are counted and not complete
  counts,    \* how often each content was counted
  crashes, expiries

vars == <<drop, claimed, aside, made, replaced, blob, etag, stored, lock, pc,
          staged, read, receipts, counts, crashes, expiries>>

Contents == {10 * d + r : d \in 1..MaxContents, r \in 0..(MaxContents - 1)}
Steps == {"idle", "claim", "stage", "put", "read", "own", "over", "verify",
          "remove", "look", "rename", "again", "receipt", "unlink", "complete"}

Init ==
  /\ drop = 0 /\ claimed = 0 /\ aside = [u \in Uploaders |-> 0]
  /\ made = {} /\ replaced = {}
  /\ blob = 0 /\ etag = 0 /\ stored = {}
  /\ lock = "none"
  /\ pc = [u \in Uploaders |-> "idle"]
  /\ staged = [u \in Uploaders |-> 0]
  /\ read = [u \in Uploaders |-> 0]
  /\ receipts = {}
  /\ counts = [c \in Contents |-> 0]
  /\ crashes = 0 /\ expiries = 0

Volume == <<drop, claimed, aside, made, replaced>>
Store == <<blob, etag, stored>>
Redis == <<lock, receipts, counts>>
Faults == <<crashes, expiries>>

NextDrop == 10 * (Cardinality({c \in made : c % 10 = 0}) + 1)

Go(u, step) == pc' = [pc EXCEPT ![u] = step]
Owns(u) == ~CheckLock \/ lock = u

(*************************** the producer *********************************)
Drop ==
  /\ drop = 0 /\ Cardinality(made) < MaxContents
  /\ drop' = NextDrop /\ made' = made \cup {NextDrop}
  /\ UNCHANGED <<claimed, aside, replaced, Store, Redis, pc, staged, read, Faults>>

ChangeClaimed ==
  /\ claimed # 0 /\ Cardinality(made) < MaxContents
  /\ claimed' = claimed + 1 /\ made' = made \cup {claimed + 1} /\ replaced' = replaced \cup {claimed}
  /\ UNCHANGED <<drop, aside, Store, Redis, pc, staged, read, Faults>>

\* through an open descriptor, until the last look
ChangeAside(u) ==
  /\ aside[u] # 0 /\ pc[u] = "again" /\ Cardinality(made) < MaxContents
  /\ aside' = [aside EXCEPT ![u] = @ + 1] /\ made' = made \cup {aside[u] + 1}
  /\ replaced' = replaced \cup {aside[u]}
  /\ UNCHANGED <<drop, claimed, Store, Redis, pc, staged, read, Faults>>

(**************************** one run *************************************)
Begin(u) ==
  /\ pc[u] = "idle" /\ lock = "none"
  /\ drop # 0 \/ claimed # 0 \/ \E w \in Uploaders : aside[w] # 0
  /\ lock' = u /\ Go(u, "claim")
  /\ UNCHANGED <<Volume, Store, receipts, counts, staged, read, Faults>>

Stop(u) == \* the lock is another's: the run ends and changes nothing
  /\ Go(u, "idle")
  /\ UNCHANGED <<Volume, Store, Redis, staged, read, Faults>>

Claim(u) ==
  /\ pc[u] = "claim"
  /\ \/ ~Owns(u) /\ Stop(u)
     \/ /\ Owns(u)
        /\ \/ /\ claimed # 0 /\ Go(u, "stage")
              /\ UNCHANGED <<Volume, Store, Redis, staged, read, Faults>>
           \/ /\ claimed = 0
              /\ \E w \in Uploaders :
                   /\ aside[w] # 0
                   /\ claimed' = aside[w] /\ aside' = [aside EXCEPT ![w] = 0]
              /\ Go(u, "stage")
              /\ UNCHANGED <<drop, made, replaced, Store, Redis, staged, read, Faults>>
           \/ /\ claimed = 0 /\ \A w \in Uploaders : aside[w] = 0
              /\ drop # 0
              /\ claimed' = drop /\ drop' = 0 /\ Go(u, "stage")
              /\ UNCHANGED <<aside, made, replaced, Store, Redis, staged, read, Faults>>
           \/ /\ claimed = 0 /\ drop = 0 /\ \A w \in Uploaders : aside[w] = 0
              /\ lock' = IF lock = u THEN "none" ELSE lock
              /\ Go(u, "idle")
              /\ UNCHANGED <<Volume, Store, receipts, counts, staged, read, Faults>>

Stage(u) ==
  /\ pc[u] = "stage"
  /\ IF claimed = 0 THEN Go(u, "claim") /\ UNCHANGED staged
     ELSE Go(u, "put") /\ staged' = [staged EXCEPT ![u] = claimed]
  /\ UNCHANGED <<Volume, Store, Redis, read, Faults>>

Write(u) ==
  /\ blob' = staged[u] /\ etag' = etag + 1 /\ stored' = stored \cup {staged[u]}

\* If-None-Match: *
Put(u) ==
  /\ pc[u] = "put"
  /\ \/ blob = 0 /\ Write(u) /\ Go(u, "verify")
     \/ blob # 0 /\ Go(u, "read") /\ UNCHANGED Store
  /\ UNCHANGED <<Volume, Redis, staged, read, Faults>>

Read(u) ==
  /\ pc[u] = "read"
  /\ read' = [read EXCEPT ![u] = etag] /\ Go(u, "own")
  /\ UNCHANGED <<Volume, Store, Redis, staged, Faults>>

Own(u) ==
  /\ pc[u] = "own"
  /\ IF Owns(u) THEN Go(u, "over") ELSE Go(u, "idle")
  /\ UNCHANGED <<Volume, Store, Redis, staged, read, Faults>>

\* If-Match: the ETag that was read; on 412 the attempt starts anew
Over(u) ==
  /\ pc[u] = "over"
  /\ IF ~IfMatch \/ etag = read[u]
     THEN Write(u) /\ Go(u, "verify")
     ELSE Go(u, "claim") /\ UNCHANGED Store
  /\ UNCHANGED <<Volume, Redis, staged, read, Faults>>

Verify(u) ==
  /\ pc[u] = "verify"
  /\ IF blob = staged[u] THEN Go(u, "remove") ELSE Go(u, "claim")
  /\ UNCHANGED <<Volume, Store, Redis, staged, read, Faults>>

Remove(u) ==
  /\ pc[u] = "remove"
  /\ IF Owns(u) THEN Go(u, "look") ELSE Go(u, "idle")
  /\ UNCHANGED <<Volume, Store, Redis, staged, read, Faults>>

Look(u) ==
  /\ pc[u] = "look"
  /\ IF LookBefore /\ claimed # staged[u] THEN Go(u, "claim") ELSE Go(u, "rename")
  /\ UNCHANGED <<Volume, Store, Redis, staged, read, Faults>>

Rename(u) ==
  /\ pc[u] = "rename"
  /\ IF claimed = 0
     THEN Go(u, "claim") /\ UNCHANGED <<claimed, aside>>
     ELSE /\ aside' = [aside EXCEPT ![u] = claimed] /\ claimed' = 0
          /\ Go(u, IF LookBefore THEN "again" ELSE "receipt")
  /\ UNCHANGED <<drop, made, replaced, Store, Redis, staged, read, Faults>>

\* the last look; what changed goes back, never over a file that is there
LookAgain(u) ==
  /\ pc[u] = "again"
  /\ \/ aside[u] = staged[u] /\ Go(u, "receipt") /\ UNCHANGED <<claimed, aside>>
     \/ /\ aside[u] # staged[u] /\ Go(u, "claim")
        /\ IF claimed = 0 /\ aside[u] # 0
           THEN claimed' = aside[u] /\ aside' = [aside EXCEPT ![u] = 0]
           ELSE UNCHANGED <<claimed, aside>>
  /\ UNCHANGED <<drop, made, replaced, Store, Redis, staged, read, Faults>>

\* one step of Redis: the lock is checked in it
Receipt(u) ==
  /\ pc[u] = "receipt"
  /\ \/ /\ Owns(u) /\ Go(u, "unlink")
        /\ IF CountOnce /\ staged[u] \in receipts
           THEN UNCHANGED <<receipts, counts>>
           ELSE /\ receipts' = receipts \cup {staged[u]}
                /\ counts' = [counts EXCEPT ![staged[u]] = @ + 1]
        /\ UNCHANGED <<claimed, aside>>
     \/ /\ ~Owns(u) /\ Go(u, "idle")
        /\ IF claimed = 0 /\ aside[u] # 0
           THEN claimed' = aside[u] /\ aside' = [aside EXCEPT ![u] = 0]
           ELSE UNCHANGED <<claimed, aside>>
        /\ UNCHANGED <<receipts, counts>>
  /\ UNCHANGED <<drop, made, replaced, Store, lock, staged, read, Faults>>

\* where another run has put the source back there is nothing to unlink, and the receipt is that run's to end
Unlink(u) ==
  /\ pc[u] = "unlink"
  /\ IF aside[u] # 0 \/ ~EndOwnReceipt THEN Go(u, "complete") ELSE Go(u, "idle")
  /\ aside' = [aside EXCEPT ![u] = 0]
  /\ lock' = IF aside[u] = 0 /\ EndOwnReceipt /\ lock = u THEN "none" ELSE lock
  /\ UNCHANGED <<drop, claimed, made, replaced, Store, receipts, counts, staged, read, Faults>>

Complete(u) ==
  /\ pc[u] = "complete"
  /\ receipts' = receipts \ {staged[u]}
  /\ lock' = IF lock = u THEN "none" ELSE lock
  /\ Go(u, "idle")
  /\ UNCHANGED <<Volume, Store, counts, staged, read, Faults>>

(***************************** faults *************************************)
Crash(u) ==
  /\ pc[u] # "idle" /\ crashes < MaxCrashes
  /\ crashes' = crashes + 1 /\ Go(u, "idle")
  /\ UNCHANGED <<Volume, Store, Redis, staged, read, expiries>>

\* the lock runs out: its holder died, or sleeps and knows nothing of it
Expire ==
  /\ lock # "none"
  /\ \/ pc[lock] = "idle" /\ UNCHANGED expiries
     \/ pc[lock] # "idle" /\ expiries < MaxExpiries /\ expiries' = expiries + 1
  /\ lock' = "none"
  /\ UNCHANGED <<Volume, Store, receipts, counts, pc, staged, read, crashes>>

Run(u) ==
  \/ Begin(u) \/ Claim(u) \/ Stage(u) \/ Put(u) \/ Read(u) \/ Own(u) \/ Over(u)
  \/ Verify(u) \/ Remove(u) \/ Look(u) \/ Rename(u) \/ LookAgain(u) \/ Receipt(u)
  \/ Unlink(u) \/ Complete(u)

Next ==
  \/ Drop \/ ChangeClaimed \/ Expire
  \/ \E u \in Uploaders : Run(u) \/ ChangeAside(u) \/ Crash(u)

Spec == Init /\ [][Next]_vars

(**************************** what must hold ******************************)
OnVolume(c) == drop = c \/ claimed = c \/ \E u \in Uploaders : aside[u] = c

\* every content that its producer did not overwrite is on the volume or went to the store
NothingLost == \A c \in made : c \in replaced \/ OnVolume(c) \/ c \in stored

\* no older content stands over a newer one whose source is gone: that one would never be sent again
NothingOlder == \A c \in stored : c <= blob \/ OnVolume(c) \/ c \in replaced

\* a claim is counted at most once
CountedOnce == \A c \in Contents : counts[c] <= 1

\* only what is in the store is counted
CountedStored == \A c \in Contents : counts[c] > 0 => c \in stored
=============================================================================
