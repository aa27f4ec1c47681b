"""What the other wings of batch/ import from each wing, as `module.name`. A whole module ends in a dot.

A longer list is a wider door: ask whether the name belongs in a wing further below.
"""

from __future__ import annotations

DOORS = {
    "runtime": """
        document.DOCUMENT engine. output_file.Format output_file.unguarded output_file.whole_file output_file.write_rows
        own_lines.DEFAULT own_lines.OWN_LINES progress_bar.Bar progress_bar.ProgressBars
        same_cause.SameCause stopping.INTERRUPTED stopping.Stop
        stopping.StoppedError stopping.Why stopping.stop_on_signals text.SHOWN text.day text.duration
        text.iso text.moment text.more
    """,
    "settings": """
        config. config.Config config.Listing config.LossSettings config.template
        decisions.Decision decisions.read_decisions
        prices.AS_OF prices.Prices
        text_file.rows_of text_file.text_file
        window.ClosedError window.MARGIN window.Window window.closed window.ended_in_time
        window.require_open
    """,
    "inventory": """
        backup.back_up baseline.Baseline baseline.BaselineTable baseline.Conflict baseline.Giving baseline.Kept
        baseline.Preferred baseline.STANDS baseline.Relinked baseline.Removed baseline.UpdateFact baseline.Updated
        baseline.UserRecord baseline.attribute_key baseline.conflicts baseline.conflicts_since
        baseline.settled_conflicts baseline.user_records carried.CarriedTable carried.is_own
        carried.names_carried carried.own erasure.forget
        baseline.ENABLED baseline.Theirs baseline.Writing baseline.factor_key baseline.group_key baseline.link_key
        erasure.names_of erasure.purge erasure.scrub erasure.sub_of filesystem.is_on_network filesystem.kind_of
        inventory.Inventory inventory.StorageError inventory.decoded inventory.explain
        inventory.fingerprint inventory.inventory_to_read lock.LockedError lock.holder_of
        missing.AWAY missing.MADE missing.Missing missing.MissingTable missing.REMEDY missing.SAMPLE
        meta_keys.
        milestones.Cutover milestones.End
        runs.Record runs.counting runs.config_digest runs.new_id runs.recorded runs.user_agent
        second_factors.Asked second_factors.FactorsTable second_factors.require_read
        stages.OutOfTurnError stages.refuse stages.refuse_undo
        snapshot.Snapshot snapshot.USER_COLUMNS snapshot.USER_COLUMNS_OF_U snapshot.user_from_row
        user_state.AGAIN user_state.FAILED user_state.IS_DONE user_state.IS_LOST user_state.LOST
        user_state.NOT_AS_PLANNED user_state.IS_NOT_DONE
        user_state.NO_FAILURES user_state.PENDING user_state.Problem user_state.UserState
    """,
    "plan": """
        after_cutover.as_kept after_cutover.record_cutover after_cutover.take_back after_cutover.to_finish
        after_cutover.unread change_limit.ChangeLimit change_limit.changes change_limit.most_changes
        change_limit.refuse_changing changes.Changes changes.count_gone changes.gone changes.gone_jobs
        cohort.Cohort cohort.names_in collisions.Contender collisions.colliding collisions.collisions
        collisions.contenders collisions.count_contenders
        groups.Definition groups.differing_fields groups.groups_defined
        groups.groups_to_update groups.groups_wanted groups.old_names jobs.Job jobs.count_memberships_owed
        jobs.count_pending jobs.pending_subs losses.LossCount losses.NOTHING_LOST losses.Losses losses.MFA_IGNORED
        losses.loss_lines
        losses.losses losses.losses_now naming.Naming plan.make_plan plan.planned_users summary.ONE_CHANNEL
        summary.BLOCKED summary.NO_CHANNEL
        three_way.STAYS_DISABLED three_way.STAYS_ENDED
        summary.PlanSummary summary.spared three_way.ALIAS three_way.Attributes three_way.CHANGED_THERE
        three_way.Change three_way.EXACTLY three_way.FLAGS three_way.FOUND_OTHERWISE three_way.Judge
        three_way.LOCKED three_way.NOT_LINKED three_way.NOT_OURS three_way.NO_PROVIDER three_way.PREFERRED
        three_way.REFUSED_FACTOR three_way.REFUSED_FLAG three_way.UNCHANGEABLE three_way.Wanted
        three_way.carried three_way.change three_way.differing three_way.factor_names three_way.factors_as_written
        three_way.flag_of
        three_way.is_later
        three_way.link_name three_way.merged three_way.to_send three_way.unlink_name user_plan.Action
        user_plan.Context user_plan.DEFERRED user_plan.FEDERATED user_plan.NEVER_CONFIRMED user_plan.OUTSIDE
        user_plan.marker_of user_plan.plan_user
    """,
    "pacing": """
        call_counts.Meter call_counts.Rates call_counts.quota_of limiter.Ending limiter.HaltedError
        limiter.Limiter pacer.AHEAD pacer.Pacer pacer.Patience pacer.on_time rate.usable_share
    """,
    "pools": """
        connect. connect.Migration connect.Say connect.Way connect.connect connect.pages_of
        connect.pool_to_manage connect.pools_to_look_at managed_pool.ManagedPool managed_pool.UnknownSettingError
        managed_pool.WITHOUT_UPDATE managed_pool.attribute_to_api managed_pool.bare_name managed_pool.differing
        managed_pool.said_of_unknown
    """,
    "ledger": """
        claims.Claim claims.Claims claims.Hold claims.RefusedError close.Closed close.close count.DAYS
        count.KEEP_OUT count.KEPT_OUT count.LedgerCount count.count erasure.Emptying erasure.disabled_federated
        erasure.erase lease. lease.CALL_SECONDS lease.KEY lease.Lease ledger.BatchLedger opening.Opening
        own_ledger.LedgerFacts own_ledger.any_ledger own_ledger.in_turn own_ledger.last_ledger own_ledger.lease_owner
        own_ledger.read_ledger own_ledger.require_last_ledger own_ledger.require_no_ledger
        own_ledger.set_finished own_ledger.still_there persons.HELD persons.native_locks publish.publish_again
        table.ledger_as_it_is table.ledger_table
        returns.Beginning returns.Returns returns.ledger_returns
    """,
    "scan": """
        rebuild.Rebuild rebuild.Rebuilt rebuild.rebuild_of scan.Scan scan.ScanSummary scan.membership_step
        scan.refuse_shrinking
    """,
    "recovery": """
        census.Census gate.Gate gate.Side gate.Standing gate.remember gate.unknown gate.window
        hold_back.HoldBack look_first.LookFirstError recover.Recover recover.RecoverSummary
        survey.Extent survey.SetBackTo
    """,
    "run": """
        run.Run run.RunSummary run.not_as_planned
    """,
    "undo": """
        claims.ReadOnly claims.UndoClaims claims.ledger_undo_claims claims.require_own_ledger journal.survey
        undo.Undo undo.UndoSummary
    """,
    "campaign": """
        campaign.Campaign campaign.CampaignSummary campaign.Today campaign.standing end_capture.letting
        end_capture.require_own journal.CampaignRecords mailing_lists.ExportSummary mailing_lists.Files
        mailing_lists.export recipients.Budget recipients.CodeState recipients.DEFAULT_MAILS recipients.MAIL
        recipients.SMS recipients.Turn recipients.day_of send_code.SendingCodes
    """,
    "cutover": """
        cutover.Left cutover.stale finish_checklist.ChecklistItem finish_checklist.DETACH
        finish_checklist.EndError finish_checklist.Remaining finish_checklist.checklist
        finish_checklist.refuse_left finish_checklist.refuse_purge way_back.Newcomers way_back.first_run
        way_back.reverse way_back.text
    """,
    "lambda_trigger": """
        attach.Functions attach.SOURCES attach.TriggerChange attach.attaching attach.detaching
        attach.not_of_the_pool attach.same attach_text.as_values attach_text.change_lines attach_text.detachable
        attach_text.finding_lines attach_text.is_over attach_text.let_in attach_text.nobody_waits
        attach_text.published attach_text.taken attach_text.template_lines capture_way.Way capture_way.attached
        capture_way.callable_by_cognito capture_way.missing_triggers capture_way.new_clients capture_way.ours
        diagnosis.AsDeployed diagnosis.diagnose findings.DiagnosisStep findings.StepVerdict findings.as_values
        findings.conclusion findings.first_wrong findings.unchecked findings.wrong package.HANDLER package.Package
        package.build package.environment
    """,
    "verify": """
        comparison.Difference new_passwords.new_passwords revoked.Sightings revoked.revoked verify.Verify
        verify.VerifySummary
    """,
    "check": """
        check.as_values check.conclusion check.findings check.has_errors finding.Finding finding.Severity
        live.results.Outcome live.results.as_values live.results.conclusion live.results.cost
        live.results.findings live.results.not_tested live.results.probed live.throw_away_pools.LeftOver
        live.throw_away_pools.Making live.throw_away_pools.TAG live.throw_away_pools.making prepare.Lacking
        prepare.attribute_command prepare.attribute_in_words prepare.lacking prepare.template_line
        reading.read_facts reading.where
    """,
    "report": """
        estimate.Estimate explain.Explaining explain.InNewPool explain.InOldPool explain.UserCase export.EXPORTS
        export.OF_SUBS next_step.next_step outlook.AskingForFactors outlook.Outlook outlook.Peak
        outlook.look_ahead page.GENERATOR page.page page_facts.gather status.Status status.status
        status.failed_by_problem
    """,
}
